# SPDX-License-Identifier: Apache-2.0
"""What the exports of every framework are measured by: our command line and ONNX Runtime against float64."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

import numpy as np

from support import material, networks
from support.built import PYTHON_SOURCES, features_by_cli
from support.onnx_writer import onnx_runtime

IMAGES = 6


@dataclass(frozen=True)
class Result:
    name: str
    length: int
    ours: float  # max |difference| / rms against float64
    onnx_runtime: float  # its own in fp32
    spread: float
    seconds: float
    keras: Optional[float] = None  # ours against ours converted from Keras

    @property
    def holds(self) -> bool:
        gate = max(1e-4, 4 * self.onnx_runtime)
        agree = self.keras is None or self.keras <= 2 * gate  # each of the two may be a gate away from float64
        return self.ours <= gate and agree and self.spread >= networks.LEAST_SPREAD

    def __str__(self) -> str:
        keras = "" if self.keras is None else f"converted from Keras {self.keras:.1e}  "
        return (
            f"{self.name:40} {self.length:5d}  ours {self.ours:.1e}  onnxruntime {self.onnx_runtime:.1e}  {keras}"
            f"spread {self.spread:5.2f}  {self.seconds:6.1f} s  {'ok' if self.holds else 'FAILED'}"
        )


def convert(file: Path, preprocess: str, *options: str) -> Path:
    """By the command that a user runs; the model file lies beside the ONNX file."""
    out = file.with_suffix(".safetensors")
    command = [sys.executable, "-m", "pomona", "models", "convert", "--onnx", file, "--preprocess", preprocess]
    environment = {"PYTHONPATH": str(PYTHON_SOURCES), "PATH": ""}
    subprocess.run([*map(str, command), *options, str(out)], check=True, env=environment, stdout=subprocess.DEVNULL)
    return out


@dataclass(frozen=True)
class Export:
    """An ONNX file, how its input is scaled, the side of its image, and what it should say in float64."""

    name: str
    file: Path
    preprocess: str
    size: int
    exact: np.ndarray


def measure(export: Export, level: Optional[str], from_keras: Optional[Path] = None) -> Result:
    """The whole network: scores, or the mean of the map (channels last) that it ends in. `from_keras` is the model file
    of the same network by the other converter."""
    begin = time.monotonic()
    exact, images = export.exact, networks.images()[:IMAGES]
    rows = _rows(convert(export.file, export.preprocess, "--include-top"), images, level)
    theirs = onnx_runtime(export.file, networks.pixels(images, export.size), export.preprocess)
    theirs = theirs.mean((1, 2)) if theirs.ndim == 4 else theirs
    return Result(
        export.name,
        rows.shape[1],
        material.worst_difference(rows, exact),
        material.worst_difference(theirs, exact),
        float(np.sqrt(np.mean(exact.var(axis=0)) / np.mean(exact**2))),
        time.monotonic() - begin,
        material.worst_difference(rows, _rows(from_keras, images, level)) if from_keras else None,
    )


def _rows(model: Path, images: List[Path], level: Optional[str]) -> np.ndarray:
    return features_by_cli(model, images, model.with_suffix(".npy"), "--pooling", "avg", level=level)
