# SPDX-License-Identifier: Apache-2.0
"""A Keras model in, a model file out: a network of Keras Applications by its name, or a file that Keras has saved."""

from pathlib import Path
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from pomona.models import ModelError, keras_files, keras_graph, keras_random, manifest
from pomona.models.graph import GraphBuilder
from pomona.models.keras_call import array, class_name
from pomona.models.preprocess import PREPROCESS
from pomona.models.provenance import provenance

RANDOM = "random"  # in place of a weights file
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def from_keras(
    source: str,
    weights: Optional[Path] = None,
    preprocess: Optional[str] = None,
    input_size: Optional[int] = None,
    *,
    include_top: bool = False,
    pooling: Optional[str] = None,
    output: Optional[str] = None,
    classes: Optional[Sequence[str]] = None,
) -> bytes:
    """The bytes of the model file. `weights` is a file, or RANDOM; `output` names the layer to cut behind;
    `include_top` and `pooling` are those of Keras Applications, for a name alone."""
    known = manifest.keras_application(source)
    if known:
        preprocess, input_size = preprocess or known["preprocess"], input_size or known["input_size"]
        model = _application(source, weights, input_size, include_top, pooling, len(classes or ()) or 1000)
    elif include_top or pooling:
        raise ModelError(f"{source}: --include-top and --pooling go with a name; a file is converted as it is")
    else:
        model = keras_files.load_model(_existing(source))
    _fill(model, weights)
    if known:
        _scale_as_official(source, model)
    _check_classes(model, classes, output)
    graph = GraphBuilder(source if known else model.name, _size(model, input_size), preprocess or "none")
    features = keras_graph.walk(model, graph, output)
    used = None if str(weights) == RANDOM else Path(weights or source)
    data = graph.finish(features, provenance(used, known["licence"] if known else None), classes)
    if not preprocess and graph.preprocess == PREPROCESS["none"]:
        raise ModelError(f"{source}: say how its input is scaled with --preprocess tf|caffe|torch|lite|none")
    return data


def _application(
    name: str, weights: Optional[Path], size: int, include_top: bool, pooling: Optional[str], classes: int
) -> Any:
    if not weights:
        raise ModelError(f"{name}: give its weights with --weights FILE (or random), or run: models fetch {name}")
    return keras_files.build_application(name, size, include_top, pooling, classes)


def _fill(model: Any, weights: Optional[Path]) -> None:
    if str(weights) == RANDOM:
        keras_random.draw(model)
    elif weights:
        keras_files.load_weights(model, _existing(str(weights)))


def _scale_as_official(name: str, model: Any) -> None:
    """The official weights of EfficientNet B0 to B7 want images divided by their variance, not by their deviation.
    Keras has a layer for that, but only where it downloads them by itself; here its Normalization does that work."""
    if not name.startswith("EfficientNetB"):
        return
    (normalization,) = (layer for layer in model.layers if class_name(layer) == "Normalization")
    if np.allclose(array(normalization.adapt_mean).ravel(), _IMAGENET_MEAN, atol=1e-6):
        variance = array(normalization.adapt_variance)
        normalization.adapt_variance.assign(variance * np.float32(_IMAGENET_DEVIATION))


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        names = ", ".join(manifest.keras_applications())
        raise ModelError(f"{name}: no such file, and no Keras name that is known ({names})")
    return path


def _size(model: Any, asked: Optional[int]) -> Tuple[int, int]:
    height, width = keras_files.input_size(model)
    if asked and (height or asked, width or asked) != (asked, asked):
        raise ModelError(f"{model.name}: was built for {height}x{width}, --input-size {asked} cannot change that")
    if not asked and not (height and width):
        raise ModelError(f"{model.name}: takes images of any size; choose one with --input-size")
    return (height or asked or 0, width or asked or 0)


def _check_classes(model: Any, classes: Optional[Sequence[str]], output: Optional[str]) -> None:
    shape = tuple(model.outputs[0].shape[1:])
    if classes and (output or shape not in ((len(classes),), (1, 1, len(classes)))):
        found = f"its layer {output}" if output else f"{shape}"
        raise ModelError(f"{model.name}: {len(classes)} class names, but the output is {found}, not a number a class")
