# SPDX-License-Identifier: Apache-2.0
"""Model files and CPU levels for the comparisons of vectors."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import material
from support.built import LEVELS, PYTHON_SOURCES, TOP, level_in_use


@pytest.fixture(params=LEVELS)
def level(request) -> str:
    """POMONA_CPU for each level that this CPU runs."""
    if request.param == "best":
        return ""
    found = level_in_use(request.param)
    if found != request.param:
        pytest.skip(f"this CPU runs {found}, not {request.param}")
    return request.param


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@pytest.fixture(scope="session")
def vlen_model() -> Path:
    """The h5 with variable-length attributes, converted once for each state of weights and converter."""
    weights = material.shared(material.MOBILENET_V2_VLEN_H5)
    out = TOP / f"build/models/vlen-{_digest(weights, *(PYTHON_SOURCES / 'pomona/models').glob('*.py'))}.safetensors"
    if not out.exists():
        words = ["-m", "pomona", "models", "convert", "--keras", "MobileNetV2", "--weights", weights, out]
        environment = {**os.environ, "PYTHONPATH": str(PYTHON_SOURCES)}
        done = subprocess.run([sys.executable, *map(str, words)], env=environment, capture_output=True, text=True)
        if "pip install" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
    return out
