# SPDX-License-Identifier: Apache-2.0
"""One network of each family of keras.applications, at small sizes, by tests/all_networks; that holds all of them."""

import os
import re
import subprocess
from typing import Dict

import pytest

from support import material
from support.built import TOP, built, level_in_use

# The least of each family. Float64 takes most of the time, once: build/networks keeps what Keras computed.
NETWORKS = (
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "VGG16", "ResNet50", "ResNet50V2", "DenseNet121", "Xception"),
    *("InceptionV3", "InceptionResNetV2", "NASNetMobile", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny"),
)
# Classifiers end in convolutions, in a flattened map and dense layers, behind an average, and behind a layer norm.
CLASSIFIERS = ("MobileNetV3Small", "VGG16", "DenseNet121", "ConvNeXtTiny")
# Kernels are turned over in these; the others would repeat it.
BROKEN = ("MobileNetV3Small", "ResNet50V2", "NASNetMobile", "EfficientNetB0", "ConvNeXtTiny")


def _all_networks(*words: str) -> subprocess.CompletedProcess:
    python = TOP / "build/venv-networks/bin/python"
    if not python.exists():
        pytest.skip(f"{python} is missing: ./test.sh makes it, and so does tests/all_networks")
    material.shared("data/fruits360")
    built("bin/pomona")
    wanted = os.environ.get("POMONA_CPU", "")
    level = ("--cpu", level_in_use(wanted)) if wanted else ()
    command = [str(python), str(TOP / "tests/all_networks"), "--size", "small", *level, *words]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def lines() -> Dict[str, str]:
    """What the script prints of each network, with batches of 1, 3 and 8."""
    done = _all_networks("--networks", ",".join(NETWORKS), "--batch", "1,3,8")
    found = {line.split()[0]: line for line in done.stdout.splitlines()}
    return {**found, "": done.stderr[-3000:]}


@pytest.mark.parametrize("network", NETWORKS)
def test_network_stays_within_the_gate(lines, network):
    """Ours <= max(1e-4, 4 x TensorFlow's own difference from float64), and features that depend on the image."""
    assert network in lines, lines[""]
    assert lines[network].endswith(" ok"), lines[network]


def test_classifiers_stay_within_the_gate():
    done = _all_networks("--networks", ",".join(CLASSIFIERS), "--include-top", "--batch", "1,3,8")
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["ok"] * len(CLASSIFIERS), (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize("network", BROKEN)
def test_a_kernel_turned_over_breaks_the_gate(network):
    done = _all_networks("--networks", network, "--break")
    assert len(re.findall(r"turned over: \S+ +seen$", done.stdout, re.MULTILINE)) == 5, done.stdout + done.stderr
