# SPDX-License-Identifier: Apache-2.0
"""The report page: its pictures say what the record says, and nothing in the record can break out of the page."""

import base64
import copy
import json
import re
from html.parser import HTMLParser

import pytest

from pomona.__main__ import main
from pomona.report import charts, render
from pomona.report.svg import Chart, number, ticks

HOSTILE = "\"><script>alert(1)</script>&'</title>"

EXPLAINED = [0.6, 0.25, 0.08, 0.07]
FACTS = {
    "created": "2026-01-01T00:00:00+00:00",
    "options": {"images": "images", "out": "out", "featurizer": {"modelPath": "m.safetensors", "pooling": None}},
    "model": {"path": "m.safetensors", "name": "Net", "sha256": "ab" * 32},
    "versions": {"pomona": "0", "spark": "3.5"},
    "machine": {"master": "local[2]", "parallelism": 2},
    "images": 7,
    "errors": 2,
    "errors_by_reason": {"EMPTY": 1, "TRUNCATED": 1},
    "error_examples": [{"path": "file:/a.jpg", "error": "EMPTY: no bytes"}],
    "labels": {"apple": 3, "pear": 2},
    "images_per_second": 12.5,
    "timings": [{"step": "features", "count": 7, "what": "images", "seconds": 0.5}, {"step": "model", "seconds": 1.25}],
    "reduction": {
        "target": 0.9,
        "k": 3,
        "variance": 0.93,
        "rows": 5,
        "columns": 8,
        "explained": [0.6, 0.25, 0.08, 0.07],
    },
    "scatter": {"labels": ["apple", "pear"], "points": [[0, 1, 0], [2, -1, 0], [1, 1, 0], [-3, 2, 1], [-2, 2, 1]]},
    "samples": [{"label": "apple", "path": "file:/a.jpg", "data": base64.b64encode(b"jpeg").decode()}],
}


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether its tags are balanced."""

    VOID = {"meta", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page():
    return Page(render(FACTS))


def test_tags_are_balanced(page):
    assert not page.open


def test_nothing_comes_from_outside(page):
    sources = [value for name, value in page.attributes if name in ("src", "href", "srcset", "xlink:href")]
    assert sources
    assert all(value.startswith("data:image/jpeg;base64,") for value in sources)
    assert "script" not in page.tags
    assert "url(" not in render(FACTS)


def test_pictures_are_there(page):
    shown = {value for name, value in page.attributes if name == "aria-label"}
    assert shown == {"Variance of each component", "Variance kept", "First two principal components"}
    assert page.tags.count("rect") == len(EXPLAINED)
    assert page.tags.count("img") == 1


def test_figures_are_there(page):
    text = " ".join(page.text)
    for words in ("7", "12.5", "93.0 %", "EMPTY", "TRUNCATED", "1.75", "k = 3", "local[2]", "ab" * 32, "apple", "pear"):
        assert words in text, words
    assert "pooling" not in text, "an option that was not given is not shown"


def hostile(value):
    """The record with the hostile text in place of every text but base64 data."""
    if isinstance(value, dict):
        return {key: item if key == "data" else hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def test_text_cannot_break_out():
    facts = hostile(copy.deepcopy(FACTS))
    facts["labels"] = {HOSTILE: 5}
    facts["errors_by_reason"] = {HOSTILE: 2}
    page = Page(render(facts))
    assert not page.open
    assert "script" not in page.tags
    assert page.tags == Page(render({**FACTS, "labels": {"x": 5}, "errors_by_reason": {"x": 2}})).tags
    assert HOSTILE in "".join(page.text)


def test_components_for_a_share():
    assert [charts.components_for(EXPLAINED, s) for s in (0.5, 0.6, 0.85, 0.9, 1.0)] == [1, 1, 2, 3, 4]
    assert charts.components_for([0.5, 0.3], 0.9) is None


def test_one_component_and_one_label():
    facts = copy.deepcopy(FACTS)
    facts["reduction"].update(k=1, variance=1.0, explained=[1.0])
    facts["scatter"] = {"labels": ["a"], "points": [[0.0, 0.0, 0], [0.0, 0.0, 0]]}
    assert not Page(render(facts)).open


def test_series_differ():
    styles = [charts.series_style(i, 131) for i in range(131)]
    assert len(set(styles)) == 131


@pytest.mark.parametrize("low, high", [(0, 1), (-3.2, 61.7), (0, 0.0123), (1e6, 3e6), (-1e-9, 1e-9)])
def test_ticks_are_round_and_inside(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 11
    room = (high - low) * 1e-6
    assert all(low - room <= value <= high + room for value in found)
    steps = {round((b - a) / (found[1] - found[0]), 6) for a, b in zip(found, found[1:])}
    assert steps == {1}


def test_chart_places_its_corners():
    chart = Chart("t", (0, 10, "x", number), (0, 1, "y", number), width=200, height=100)
    assert chart.left(0) < chart.left(10) < 200
    assert chart.top(1) < chart.top(0) < 100
    inside = re.findall(r'x[12]?="([\d.]+)"', chart.svg())
    assert max(map(float, inside)) <= 200


def test_command_draws_again(tmp_path, capsys):
    (tmp_path / "run.json").write_text(json.dumps(FACTS))
    assert main(["report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_text() == render(FACTS)
    assert "report.html" in capsys.readouterr().out


@pytest.mark.parametrize("content, words", [(None, "no run.json"), ("{}", "not complete"), ("{", "not complete")])
def test_command_refuses(tmp_path, capsys, content, words):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    assert main(["report", str(tmp_path)]) == 3
    assert words in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()
