# SPDX-License-Identifier: Apache-2.0
"""Weights in, model file out: the one place that knows which converter serves which source."""

from pathlib import Path
from typing import Any, Dict, Optional

from pomona import __version__
from pomona.models import ModelError, efficientnet_lite, keras_files, keras_graph, manifest, torch_legacy
from pomona.models.files import digest
from pomona.models.graph import GraphBuilder


def check_ready(entry: manifest.Entry) -> None:
    """Says what is not installed before anything is downloaded for this entry."""
    if entry["architecture"]["family"] == "keras":
        keras_files.start_keras()


def from_entry(entry: manifest.Entry, weights: Path) -> bytes:
    """The model file of a manifest entry, from its weights."""
    architecture = entry["architecture"]
    if architecture["family"] == "efficientnet-lite":
        try:
            state = torch_legacy.load(weights.read_bytes())
        except ModelError as error:
            raise ModelError(f"{weights}: {error}") from error
        provenance = _provenance(weights, entry["licence"])
        return efficientnet_lite.build(architecture["variant"], state, entry["input_size"], provenance)
    return from_keras(architecture["application"], weights)


def from_keras(
    source: str, weights: Optional[Path] = None, preprocess: Optional[str] = None, input_size: Optional[int] = None
) -> bytes:
    """The model file of a Keras Applications name with a weights file, or of a file that Keras has saved."""
    known = manifest.keras_application(source)
    if known:
        preprocess, input_size = preprocess or known["preprocess"], input_size or known["input_size"]
        if not weights:
            raise ModelError(f"{source}: give its weights with --weights FILE, or run: models fetch {known['name']}")
        model = keras_files.build_application(source, input_size)
    else:
        model = keras_files.load_model(_existing(source))
    if weights:
        keras_files.load_weights(model, _existing(str(weights)))
    if not preprocess:
        raise ModelError(f"{source}: say how its input is scaled with --preprocess tf|caffe|torch|lite|none")
    graph = GraphBuilder(source if known else model.name, _size(model, input_size), preprocess)
    features = keras_graph.walk(model, graph)
    return graph.finish(features, _provenance(Path(weights or source), known["licence"] if known else None))


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        names = ", ".join(manifest.keras_applications())
        raise ModelError(f"{name}: no such file, and no Keras name that is known ({names})")
    return path


def _size(model: Any, asked: Optional[int]) -> Any:
    height, width = keras_files.input_size(model)
    if asked and (height or asked, width or asked) != (asked, asked):
        raise ModelError(f"{model.name}: was built for {height}x{width}, --input-size {asked} cannot change that")
    if not asked and not (height and width):
        raise ModelError(f"{model.name}: takes images of any size; choose one with --input-size")
    return (height or asked, width or asked)


def _provenance(weights: Path, licence: Optional[str]) -> Dict[str, Any]:
    return {
        "source": weights.name,
        "sha256": digest(weights),
        "licence": licence or "unknown",
        "converter": f"pomona {__version__}",
    }
