# SPDX-License-Identifier: Apache-2.0
"""The drawn fruit: layout, determinism, and how hard the kinds are to tell apart by real features."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pomona import PomonaError
from pomona.draw.kinds import KINDS
from pomona.draw.pictures import draw_set
from pomona.draw.shapes import rotation
from support.material import TOP

MODEL = TOP / "build/models/efficientnet_lite0.safetensors"
BINARY = TOP / "build/release/bin/pomona"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    return draw_set(tmp_path_factory.mktemp("drawn"))


def files(folder):
    return sorted(folder.glob("*/*/*.jpg"))


def test_layout(drawn):
    found = files(drawn)
    assert len(found) == 240
    assert len(KINDS) >= 12
    parts = Counter((path.parts[-3], path.parts[-2]) for path in found)
    assert set(parts) == {(part, kind.name) for part in ("Training", "Test") for kind in KINDS}
    assert min(parts.values()) >= 5


def test_pictures_show_a_fruit_on_white(drawn):
    for path in files(drawn):
        image = Image.open(path)
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (100, 100))
        pixels = np.asarray(image).astype(int)
        assert pixels[[0, 0, -1, -1], [0, -1, 0, -1]].min() > 240, path
        covered = (pixels.min(axis=2) < 230).mean()
        assert 0.25 < covered < 0.85, (path, covered)


def test_skin_has_no_holes(drawn):
    """Background white appears nowhere within the middle of a fruit; a highlight may."""
    for path in files(drawn):
        middle = np.asarray(Image.open(path)).astype(int)[40:60, 40:60].min(axis=2)
        around = np.median(middle)
        assert (middle > around + 150).mean() < 0.01, path


def test_same_seed_same_bytes(drawn, tmp_path):
    count = 3 * len(KINDS)
    one, two, other = (draw_set(tmp_path / str(i), count, seed) for i, seed in enumerate((5, 5, 6)))
    pairs = list(zip(files(one), files(two), files(other)))
    assert len(pairs) == count
    assert all(a.read_bytes() == b.read_bytes() for a, b, _ in pairs)
    assert not any(a.read_bytes() == c.read_bytes() for a, _, c in pairs)


def test_too_few_is_refused(tmp_path):
    with pytest.raises(PomonaError, match="too few"):
        draw_set(tmp_path, 3 * len(KINDS) - 1)
    assert not files(tmp_path)


def test_rotation_turns_right_handed():
    assert np.allclose(rotation("z", np.pi / 2) @ [1, 0, 0], [0, 1, 0])
    assert np.allclose(rotation("x", np.pi / 2) @ [0, 1, 0], [0, 0, 1])
    assert np.allclose(rotation("y", np.pi / 2) @ [0, 0, 1], [1, 0, 0])


def features(folder, out):
    command = [BINARY, "features", "--model", MODEL, "--out", out, folder]
    subprocess.run(list(map(str, command)), check=True, stdout=sys.stderr)
    return np.load(out), np.array([path.parent.name for path in sorted(folder.rglob("*.jpg"))])


@pytest.mark.skipif(not (BINARY.exists() and MODEL.exists()), reason="needs the build and the default weights")
@pytest.mark.parametrize("scaled", [False, True])
def test_neither_trivial_nor_hopeless(drawn, tmp_path, scaled):
    """The default model's features tell the held-out turns apart as well as those of a real stall would."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    train, train_labels = features(drawn / "Training", tmp_path / "train.npy")
    test, test_labels = features(drawn / "Test", tmp_path / "test.npy")
    first = StandardScaler() if scaled else FunctionTransformer()
    score = make_pipeline(first, LogisticRegression(max_iter=3000)).fit(train, train_labels).score(test, test_labels)
    assert 0.80 <= score <= 0.98
