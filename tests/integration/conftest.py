# SPDX-License-Identifier: Apache-2.0
"""What was built, a release staged from it, and a few drawn images with the vectors that the command line gives."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict

import numpy as np
import pytest
from PIL import Image

from support.built import TINY, TOP, built, features_by_cli, jar_path


@dataclass(frozen=True)
class Stage:
    folder: Path
    sha256: str


@pytest.fixture(scope="session")
def cli() -> Path:
    return built("bin/pomona")


@pytest.fixture(scope="session")
def jar() -> Path:
    return jar_path()


@pytest.fixture(scope="session")
def stage(tmp_path_factory) -> Stage:
    """The build of this checkout with the tiny test net, staged."""
    build = built("bin/pomona").parents[1]
    out = tmp_path_factory.mktemp("stage") / "release"
    command = [TOP / "emr-bootstrap/stage.sh", "--build", build, "--jar", jar_path(), "--out", out, TINY]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return Stage(out, made.stdout.split()[-1])


@dataclass(frozen=True)
class Pictures:
    folder: Path
    expected: Dict[str, np.ndarray]  # by file name; None for the one that is no JPEG


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Pictures:
    """Two labels of five noisy JPEGs and one file that is none, with the command line's features."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.RandomState(7)
    good = []
    for number in range(10):
        path = folder / ("dark" if number % 2 else "light") / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        coarse = random.randint(0, 128, (6, 8, 3)) + (0 if number % 2 else 127)
        Image.fromarray(coarse.astype(np.uint8)).resize((60 + number, 50), Image.BICUBIC).save(path, quality=90)
        good.append(path)
    (folder / "dark/broken.jpg").write_bytes(b"no picture at all")
    vectors = features_by_cli(TINY, good, tmp_path_factory.mktemp("expected") / "features.npy")
    expected = {path.name: vector for path, vector in zip(good, vectors)}
    return Pictures(folder, {**expected, "broken.jpg": None})
