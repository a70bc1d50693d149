# SPDX-License-Identifier: Apache-2.0
"""A staged release, made once by emr-bootstrap/stage.sh from what was built."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
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


@pytest.fixture(scope="session")
def stage(tmp_path_factory) -> Stage:
    """The build of this checkout with the tiny test net, staged."""
    build = built("bin/pomona").parents[1]
    out = tmp_path_factory.mktemp("stage") / "release"
    command = [str(TOP / "emr-bootstrap/stage.sh"), "--build", str(build), "--out", str(out), str(TINY)]
    if "POMONA_JAR" in os.environ:
        command[1:1] = ["--jar", os.environ["POMONA_JAR"]]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return Stage(out, made.stdout.split()[-1])
