# SPDX-License-Identifier: Apache-2.0
"""What was built, a release staged from it, and a few drawn images with the vectors that the command line gives."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict

import numpy as np
import pytest
from PIL import Image

from support.material import TOP

TINY = TOP / "models/tiny_test_net.safetensors"


@dataclass(frozen=True)
class Stage:
    folder: Path
    sha256: str


def built(path: str) -> Path:
    found = Path(os.environ.get("POMONA_BUILD", TOP / "build/release")) / path
    if not found.exists():
        pytest.skip(f"{found} is not built: cmake --preset release && cmake --build --preset release")
    return found


def jar_path() -> Path:
    version = re.search(r'POMONA_VERSION "(.*)"', (TOP / "native/include/pomona.h").read_text()).group(1)
    found = Path(os.environ.get("POMONA_JAR", TOP / f"spark-jobs/jvm/target/pomona-spark-{version}.jar"))
    if not found.exists():
        pytest.skip(f"{found} is not built: mvn -Drevision={version} package")
    return found


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
    command = [str(TOP / "emr-bootstrap/stage.sh"), "--build", str(build), "--out", str(out), str(TINY)]
    command[1:1] = ["--jar", str(jar_path())]
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
    out = tmp_path_factory.mktemp("expected") / "features.npy"
    command = [built("bin/pomona"), "features", "--model", TINY, "--out", out, *good]
    subprocess.run(command, check=True, capture_output=True)
    expected = {path.name: vector for path, vector in zip(good, np.load(out))}
    return Pictures(folder, {**expected, "broken.jpg": None})
