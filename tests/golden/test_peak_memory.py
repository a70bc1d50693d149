# SPDX-License-Identifier: Apache-2.0
"""The memory formula of docs/tuning.md against the peaks of real processes, in MiB."""

import re
from pathlib import Path
from typing import List, NamedTuple

import numpy as np
import pytest
from PIL import Image

from support import material, wide_net
from support.built import TINY, peak_memory_of_cli, run_cli

PROCESS = 4  # code, stacks, the C library
SHARE, ROUND = 8, 64  # images that a thread reads at once, and of one round
MIB = 1 << 20


class Terms(NamedTuple):
    file: float
    weights: float
    image: float
    session: float
    vector: float


def terms(model: Path) -> Terms:
    """As a user finds them."""
    text = run_cli("model", "info", model).stdout
    memory = re.search(r"^memory +([\d.]+) MiB .* x \(batch x ([\d.]+) MiB \+ ([\d.]+) MiB\)$", text, re.MULTILINE)
    channels = int(re.search(r"^features +\d+x\d+x(\d+)$", text, re.MULTILINE).group(1))
    return Terms(model.stat().st_size / MIB, *map(float, memory.groups()), channels * 4 / MIB)


def predicted(model: Path, threads: int = 1, batch: int = 2, encoded: float = 0, decoder: float = 0) -> float:
    """`encoded`: of the images that a thread reads at once; `decoder`: what libjpeg takes for one of them."""
    told = terms(model)
    opening = told.file + told.weights
    sessions = threads * (batch * told.image + told.session + encoded + decoder)
    return PROCESS + max(opening, told.weights + sessions + threads * max(ROUND, batch) * told.vector)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> List[Path]:
    """As large as those of fruits360."""
    folder, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(32)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (100, 100, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture(scope="module", params=["MobileNetV2", "EfficientNet-Lite0", "wide"])
def model(request, tmp_path_factory) -> Path:
    if request.param != "wide":
        return material.built_model(request.param)
    path = tmp_path_factory.mktemp("wide") / "wide.safetensors"
    path.write_bytes(wide_net.build())
    return path


@pytest.mark.parametrize("threads, batch", [(1, 1), (1, 8), (2, 2), (4, 2), (3, 4)])
def test_peak_is_what_the_formula_says(model, threads, batch, photographs, tmp_path):
    options = ("--threads", threads, "--batch", batch, "--out", tmp_path / "out.npy")
    some = photographs[: threads * SHARE if model.stem == "mobilenet_v2" else 1]  # sessions are resident when opened
    found = peak_memory_of_cli("features", "--model", model, *options, *some)
    assert found == pytest.approx(predicted(model, threads, batch), rel=0.2)


@pytest.mark.parametrize("subsampling, bytes_a_pixel", [("4:4:4", 6), ("4:2:0", 3)])
def test_progressive_images_take_their_coefficients(subsampling, bytes_a_pixel, tmp_path):
    height, width = 2000, 3000
    slope = np.linspace(0, 255, width, dtype=np.uint8)
    image = tmp_path / "image.jpg"
    Image.fromarray(np.tile(slope[None, :, None], (height, 1, 3))).save(
        image, progressive=True, subsampling=subsampling
    )
    found = peak_memory_of_cli("features", "--model", TINY, "--out", tmp_path / "out.npy", image)
    encoded, decoder = image.stat().st_size / MIB, height * width * bytes_a_pixel / MIB
    assert found == pytest.approx(predicted(TINY, encoded=encoded, decoder=decoder), rel=0.2)


def test_a_baseline_image_takes_rows_alone(tmp_path):
    height, width = 4000, 6000
    image = tmp_path / "image.jpg"
    Image.new("RGB", (width, height), "green").save(image)
    found = peak_memory_of_cli("features", "--model", TINY, "--out", tmp_path / "out.npy", image)
    assert found < height * width * 3 / MIB / 2  # half of its pixels


def test_two_threads_of_mobilenet_v2_within_60_mib(photographs, tmp_path):
    model = material.built_model("MobileNetV2")
    options = ("--threads", 2, "--out", tmp_path / "out.npy")
    assert peak_memory_of_cli("features", "--model", model, *options, *photographs) <= 60
