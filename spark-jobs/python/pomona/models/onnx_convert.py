# SPDX-License-Identifier: Apache-2.0
"""An ONNX file in, a model file out (docs/onnx.md)."""

from pathlib import Path
from typing import NamedTuple, Optional, Sequence

from pomona.models import ModelError, onnx_files, onnx_graph
from pomona.models.graph import GraphBuilder
from pomona.models.provenance import provenance


class Converted(NamedTuple):
    """The bytes of the model file, and a line for the user on what its features are."""

    data: bytes
    features: str


def from_onnx(
    path: Path,
    preprocess: Optional[str] = None,
    input_size: Optional[int] = None,
    *,
    include_top: bool = False,
    output: Optional[str] = None,
    classes: Optional[Sequence[str]] = None,
) -> Converted:
    """The model file of an ONNX network: of its feature map, of a named tensor, or of the whole."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if not preprocess:
        raise ModelError(
            f"{path}: an ONNX file does not say how its input is scaled: give --preprocess tf|caffe|torch|lite|none "
            "or rules in JSON (torch for networks of torchvision and most of timm)"
        )
    if classes and not include_top:
        raise ModelError("class names belong to a classifier: add --include-top")
    network = onnx_files.read(path)
    try:
        image = onnx_graph.input_map(network, input_size)
        graph = GraphBuilder(network.name, (image.height, image.width), preprocess)
        found = onnx_graph.walk(network, graph, image, output, include_top)
        if classes and found.map.sides != (1, 1, len(classes)):
            raise ModelError(f"{len(classes)} class names for an output of {' x '.join(map(str, found.map.sides))}")
        data = graph.finish(found.map.node, provenance(path, None), classes)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return Converted(data, f"{found.map.node}: {found.reason}")
