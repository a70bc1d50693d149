# SPDX-License-Identifier: Apache-2.0
"""Class names from files."""

import json

import pytest

from pomona.models import ModelError, labels


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Apple Braeburn\nBanana\n", ["Apple Braeburn", "Banana"]),
        ("\ufeffPomme\r\nPêche\r\n", ["Pomme", "Pêche"]),
        (json.dumps(["b", "a"]), ["b", "a"]),
        (json.dumps({"1": "b", "0": "a"}), ["a", "b"]),
        (json.dumps({"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}), ["tench", "goldfish"]),
    ],
)
def test_names_are_read_in_order(tmp_path, text, names):
    (tmp_path / "names").write_text(text, encoding="utf-8")
    assert labels.read(tmp_path / "names") == names


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1 holds no class name"),
        (b"a\n\nb\n", "line 2 holds no class name"),
        (b"\xff\xfe\x00", "neither a name a line nor names in JSON"),
        (b'{"0": "a", "2": "b"}', "neither a name a line nor names in JSON"),
        (b'{"0": ["a"]}', "neither a name a line nor names in JSON"),
        (b'{"0": "a"', "neither a name a line nor names in JSON"),
        (b"[5]", "neither a name a line nor names in JSON"),
        (b'{"0": 5}', "neither a name a line nor names in JSON"),
        (b"a" * (17 << 20), "too long for a list"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_list_of_names_is_refused(tmp_path, content, words):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(ModelError, match=f"names: .*{words}"):
        labels.read(tmp_path / "names")


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        labels.read(tmp_path / "names")
