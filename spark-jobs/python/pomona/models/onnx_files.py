# SPDX-License-Identifier: Apache-2.0
"""Reads an ONNX file into plain nodes and arrays. Every size is checked against the files' own before it is believed.

Numbers outside the file (external data) are read from the folder of the model and from nowhere else.
"""

import itertools
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

import numpy as np

from pomona.models import ModelError
from pomona.models.graph import INPUT

OPSETS = range(11, 24)
_MAX_FILE = (2 << 30) - 1  # protobuf's own limit
_MAX_NODES = 65_536  # of ONNX, which counts constants and shapes too
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger")
# ONNX data type -> how its numbers lie in a file; the types that a float network needs for weights, axes and shapes.
_TYPES = {1: "<f4", 10: "<f2", 11: "<f8", 6: "<i4", 7: "<i8", 9: "?"}


@dataclass(frozen=True)
class Node:
    """An operator of the ONNX graph. `name` is unique; `proto` is the message that it was read from."""

    name: str
    op: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    attributes: Dict[str, Any]
    proto: Any

    def __str__(self) -> str:
        return f"node {self.name} ({self.op})"


@dataclass(frozen=True)
class Network:
    """An ONNX graph. `shape` is the input's, None where the file leaves a side open."""

    name: str
    opset: int
    input: str
    shape: Tuple[Optional[int], ...]
    nodes: List[Node]
    constants: Dict[str, np.ndarray]
    outputs: List[str]


def start_onnx() -> Any:
    """Imports the package that reads ONNX files."""
    try:
        import onnx
    except ImportError as error:
        raise ModelError(f"the package onnx cannot be imported ({error}): pip install 'pomona[convert]'") from error
    return onnx


def read(path: Path) -> Network:
    onnx = start_onnx()
    if path.stat().st_size > _MAX_FILE:
        raise ModelError(f"{path}: {path.stat().st_size} bytes; an ONNX file holds at most {_MAX_FILE}")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf's own classes, which differ between its versions
        raise ModelError(f"{path}: not an ONNX file, or damaged: {error}") from error
    try:
        return _network(model, path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # whatever a damaged message provokes
        raise ModelError(f"{path}: damaged: {type(error).__name__}: {error}") from error


def _network(model: Any, path: Path) -> Network:
    opset, graph = _opset(model), model.graph
    if len(graph.node) > _MAX_NODES:
        raise ModelError(f"{len(graph.node)} nodes; at most {_MAX_NODES} are read")
    _refuse_quantized(graph)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = _nodes(graph, path.parent)
    used = {name for node in nodes for name in node.inputs}
    # Old files list weights as inputs too, and tf2onnx some that nothing reads any more.
    inputs = [value for value in graph.input if value.name in used and value.name not in tensors]
    if len(inputs) != 1:
        raise ModelError(f"{len(inputs)} inputs ({_listed(value.name for value in inputs)}); one image is supported")
    _check_order(nodes, {inputs[0].name, *tensors})
    constants = {name: array(tensor, path.parent) for name, tensor in tensors.items() if name in used}
    outputs = [value.name for value in graph.output]
    return Network(path.stem, opset, inputs[0].name, _shape(inputs[0]), nodes, constants, outputs)


def _opset(model: Any) -> int:
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    opset = versions.get("ai.onnx")
    if opset not in OPSETS:
        raise ModelError(f"opset {opset} is not supported; export with one from {OPSETS[0]} to {OPSETS[-1]}")
    if model.functions:
        names = _listed(function.name for function in model.functions)
        raise ModelError(f"holds functions of its own ({names}); run onnx.inliner.inline_local_functions on it first")
    return opset


def _refuse_quantized(graph: Any) -> None:
    for node in graph.node:
        if node.op_type in _QUANTIZED or node.op_type.startswith("QLinear"):
            raise ModelError(f"node {node.name} ({node.op_type}): int8 models are not supported; convert the float one")


def _nodes(graph: Any, folder: Path) -> List[Node]:
    taken: Set[str] = {INPUT}
    return [_node(proto, folder, taken) for proto in graph.node]


def _node(proto: Any, folder: Path, taken: Set[str]) -> Node:
    if not all(
        isinstance(text, str) for text in (proto.name, proto.op_type, proto.domain, *proto.input, *proto.output)
    ):
        raise ModelError(f"node {proto.name!r} ({proto.op_type!r}): holds a name that is not UTF-8")
    name = _free_name([proto.name, *proto.output, proto.op_type], taken)
    op = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
    attributes = {attribute.name: _attribute(attribute, folder) for attribute in proto.attribute}
    return Node(name, op, tuple(proto.input), tuple(proto.output), attributes, proto)


def _free_name(wishes: List[str], taken: Set[str]) -> str:
    """Names are optional in ONNX, and may repeat."""
    wishes = [wish for wish in wishes if wish]
    numbered = (f"{wishes[0]}_{number}" for number in itertools.count(1))
    name = next(name for name in itertools.chain(wishes[:-1], numbered) if name not in taken)
    taken.add(name)
    return name


def _attribute(attribute: Any, folder: Path) -> Any:
    onnx = start_onnx()
    if attribute.type == onnx.AttributeProto.TENSOR:
        return array(attribute.t, folder)
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _check_order(nodes: List[Node], known: Set[str]) -> None:
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                raise ModelError(f"{node}: its input {name!r} is no earlier output")
        for name in node.outputs:
            if name in known:
                raise ModelError(f"{node}: its output {name!r} exists already")
        known.update(name for name in node.outputs if name)


def _shape(value: Any) -> Tuple[Optional[int], ...]:
    dimensions = value.type.tensor_type.shape.dim
    shape = tuple(entry.dim_value if entry.HasField("dim_value") else None for entry in dimensions)
    if any(side is not None and side < 1 for side in shape):
        raise ModelError(f"input {value.name}: the shape {shape} is empty or negative")
    return shape


def array(tensor: Any, folder: Path) -> np.ndarray:
    """The numbers of a tensor, in the file or beside it."""
    onnx = start_onnx()
    if tensor.data_type not in _TYPES:
        kind = onnx.TensorProto.DataType.Name(tensor.data_type) if tensor.data_type in range(1, 24) else "unknown"
        raise ModelError(f"tensor {tensor.name}: the type {kind} is not supported; float16, float and double are")
    if any(side < 0 for side in tensor.dims) or len(tensor.dims) > 8:
        raise ModelError(f"tensor {tensor.name}: the shape {list(tensor.dims)} is negative or has over 8 dimensions")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _external(tensor, folder)
    count = math.prod(tensor.dims)
    if tensor.raw_data and len(tensor.raw_data) != count * np.dtype(_TYPES[tensor.data_type]).itemsize:
        raise ModelError(f"tensor {tensor.name}: {len(tensor.raw_data)} bytes do not hold {list(tensor.dims)}")
    try:
        return onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # whatever the damaged part provokes
        raise ModelError(f"tensor {tensor.name}: its numbers do not fill {list(tensor.dims)}: {error}") from error


def _external(tensor: Any, folder: Path) -> np.ndarray:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location, dtype = entries.get("location", ""), np.dtype(_TYPES[tensor.data_type])
    home, path = folder.resolve(), (folder / location).resolve()
    if not location or os.path.isabs(location) or home not in path.parents:
        raise ModelError(f"tensor {tensor.name}: its numbers lie in {location!r}, outside the model's folder: refused")
    if not path.is_file():
        raise ModelError(f"tensor {tensor.name}: its numbers lie in {location!r}, which is missing: bring it along")
    count = math.prod(tensor.dims)
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", count * dtype.itemsize))
    except ValueError as error:
        raise ModelError(f"tensor {tensor.name}: bad offset or length: {error}") from error
    if offset < 0 or length != count * dtype.itemsize or offset + length > path.stat().st_size:
        raise ModelError(f"tensor {tensor.name}: {length} bytes at {offset} of {location!r} do not hold it")
    return np.fromfile(path, dtype, count, offset=offset).reshape(tensor.dims)


def _listed(names: Any) -> str:
    names = list(names)
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
