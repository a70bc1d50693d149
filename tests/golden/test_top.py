# SPDX-License-Identifier: Apache-2.0
"""The likeliest classes, from the command line: against the whole vector of probabilities."""

import csv

import numpy as np
import pytest
from PIL import Image

from support.built import CLASSIFIER, TINY, features_by_cli, run_cli
from support.tiny_net import CLASSES, TWINS


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve of one colour each, with enough difference to reach several classes."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(12):
        colour = [255 if number >> bit & 1 else 40 * (number // 4) for bit in range(3)]
        Image.new("RGB", (40, 30), tuple(colour)).save(folder / f"{number:02}.jpg")
    return sorted(folder.iterdir())


def _top(model, *words):
    done = run_cli("features", "--model", model, *words)
    return done, list(csv.reader(done.stdout.splitlines()))


def _expected(probabilities, top):
    """Largest first, of equals the first."""
    for row in probabilities:
        order = sorted(range(len(row)), key=lambda number: (-row[number], number))[:top]
        yield [(CLASSES[number], row[number]) for number in order]


@pytest.mark.parametrize("top", [1, 2, len(CLASSES)])
def test_names_and_probabilities_are_the_vectors(images, tmp_path, top):
    probabilities = features_by_cli(CLASSIFIER, images, tmp_path / "all.npy")
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    done, rows = _top(CLASSIFIER, "--top", top, *images)
    assert (done.returncode, done.stderr) == (0, "")
    assert [row[0] for row in rows] == [str(path) for path in images]
    found = [list(zip(row[1::2], np.float32(row[2::2]))) for row in rows]
    assert found == list(_expected(probabilities, top))
    assert len({row[1] for row in rows}) > 1  # the images are not all of one class


def test_of_equals_the_first_comes_first(images):
    _, rows = _top(CLASSIFIER, "--top", len(CLASSES), *images)
    first, second = (CLASSES[number] for number in TWINS)
    for row in rows:
        assert row.index(second) == row.index(first) + 2
        assert row[row.index(first) + 1] == row[row.index(second) + 1]


def test_bad_image_has_no_class(images, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    done, rows = _top(CLASSIFIER, "--top", "2", images[0], tmp_path / "bad.jpg")
    assert done.returncode == 1 and "bad.jpg: NOT_JPEG" in done.stderr
    assert rows[1][1:] == ["", "nan", "", "nan"]
    assert rows[0][1] in CLASSES


def test_file_threads_and_batch_change_nothing(images, tmp_path):
    done, _ = _top(CLASSIFIER, "--top", "3", *images)
    words = ["--top", "3", "--threads", "2", "--batch", "3", "--pooling", "max", "--out", tmp_path / "top.csv"]
    assert _top(CLASSIFIER, *words, *images)[0].returncode == 0
    assert (tmp_path / "top.csv").read_text() == done.stdout


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--top", "6"], 3, "has 5 classes"),
        (["--top", "0"], 2, "whole number from 1"),
        (["--top", "1", "--out", "x.npy"], 2, "which x.npy cannot hold"),
    ],
)
def test_what_cannot_be_is_refused(images, words, status, message):
    done, rows = _top(CLASSIFIER, *words, images[0])
    assert (done.returncode, rows) == (status, []) and message in done.stderr


def test_a_model_of_features_has_no_classes(images):
    done, _ = _top(TINY, "--top", "1", images[0])
    assert done.returncode == 3 and f"{TINY} has no classifier" in done.stderr
