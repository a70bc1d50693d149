# SPDX-License-Identifier: Apache-2.0
"""Weights in, model file out: the one place that knows which converter serves which source."""

from pathlib import Path
from typing import Optional, Sequence

from pomona.models import efficientnet_lite, keras_files, manifest, torch_files, torchvision
from pomona.models.keras_convert import RANDOM, from_keras
from pomona.models.onnx_convert import from_onnx
from pomona.models.provenance import provenance

__all__ = ["RANDOM", "check_ready", "from_entry", "from_keras", "from_onnx"]


def check_ready(entry: manifest.Entry) -> None:
    """Says what is not installed before anything is downloaded for this entry."""
    if entry["architecture"]["family"] == "keras":
        keras_files.start_keras()


def from_entry(entry: manifest.Entry, weights: Path, classes: Optional[Sequence[str]] = None) -> bytes:
    """The model file of a manifest entry, from its weights: of the features, or of the classifier of those classes."""
    architecture, size = entry["architecture"], entry["input_size"]
    if architecture["family"] == "keras":
        return from_keras(architecture["application"], weights, include_top=bool(classes), classes=classes)
    state, facts = torch_files.load(weights), provenance(weights, entry["licence"])
    if architecture["family"] == "torchvision":
        return torchvision.build(architecture["network"], state, size, entry["preprocess"], facts, classes)
    return efficientnet_lite.build(architecture["variant"], state, size, facts, classes)
