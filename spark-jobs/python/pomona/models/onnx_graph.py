# SPDX-License-Identifier: Apache-2.0
"""Walks an ONNX graph and writes its operators as nodes of our graph, unfused.

An operator joins by one function under `@operator("Name")`. It receives a `Step`, adds its nodes, and returns the `Map`
of what it makes. Shapes and axes are constants to the converter: it knows the size of every map.
"""

import difflib
from typing import List, NamedTuple, Optional, Set, Tuple

import numpy as np

from pomona.models import ModelError, onnx_arithmetic, onnx_dense, onnx_shapes, onnx_windows
from pomona.models.graph import INPUT, GraphBuilder
from pomona.models.onnx_files import Network, Node
from pomona.models.onnx_fold import fold
from pomona.models.onnx_maps import NCHW, NHWC, Map
from pomona.models.onnx_step import OPERATORS, State, Step

FAMILIES = (onnx_arithmetic, onnx_dense, onnx_shapes, onnx_windows)  # what fills OPERATORS when it is imported


class Output(NamedTuple):
    """The map that was chosen, and why, for the user."""

    map: Map
    reason: str


def input_map(network: Network, asked: Optional[int]) -> Map:
    """How the image lies at the input, and how large it is. An open batch counts as one image."""
    shape = network.shape
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise ModelError(
            f"input {network.input}: {_sides(shape)} is no batch of RGB images (N x 3 x H x W, or N x H x W x 3)"
        )
    axes = NCHW if shape[1] == 3 else NHWC
    sides = dict(zip(axes, shape))
    height, width = sides["H"], sides["W"]
    if asked and (height or asked, width or asked) != (asked, asked):
        raise ModelError(
            f"input {network.input}: was exported for {height}x{width}, --input-size {asked} cannot change that"
        )
    if not asked and not (height and width):
        raise ModelError(f"input {network.input}: takes images of any size; choose one with --input-size")
    return Map(INPUT, sides["N"] or 1, height or asked, width or asked, 3, axes)


def walk(network: Network, graph: GraphBuilder, image: Map, wanted: Optional[str], include_top: bool) -> Output:
    """Adds all that leads to the output; returns its map.

    Without a name and without the top, that is the map that the last pooling reads through which the whole network
    passes: what follows is the classifier, and may hold operators that are not supported.
    """
    target = _target(network, wanted)
    state = State(network, graph, dict(network.constants), {network.input: image})
    nodes = _leading_to(network.nodes, target)
    failure = _convert(nodes, state)
    if wanted or include_top:
        if failure:
            raise failure
        return Output(_chosen(state, target), f"the tensor {target}")
    cut = _before_pooling(nodes, state, target)
    if not cut and failure:
        raise failure
    return _features(state, cut or target, target)


def _target(network: Network, wanted: Optional[str]) -> str:
    """The tensor that the user named, by itself or by the node that makes it."""
    if not wanted:
        if len(network.outputs) != 1:
            raise ModelError(f"{len(network.outputs)} outputs ({', '.join(network.outputs)}); choose one with --output")
        return network.outputs[0]
    by_node = {node.proto.name: node.outputs[0] for node in network.nodes}
    tensors = {name for node in network.nodes for name in node.outputs if name}
    if wanted in tensors or wanted in by_node:
        return wanted if wanted in tensors else by_node[wanted]
    near = difflib.get_close_matches(wanted, [*by_node, *tensors], n=5, cutoff=0.4)
    raise ModelError(f"--output {wanted}: no tensor or node has this name; near it: {', '.join(near) or 'none'}")


def _leading_to(nodes: List[Node], target: str) -> List[Node]:
    needed, kept = {target}, []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _convert(nodes: List[Node], state: State) -> Optional[ModelError]:
    """Every node in order, up to one that cannot be converted, whose error comes back."""
    for node in nodes:
        try:
            _step(node, state)
        except ModelError as error:
            return error
        except Exception as error:  # whatever a missing input or an attribute of another type provokes
            return ModelError(f"{node}: is damaged: {type(error).__name__}: {error}")
    return None


def _step(node: Node, state: State) -> None:
    for name in node.inputs:
        if name and name not in state.maps and name not in state.constants:
            raise ModelError(f"{node}: its input {name!r} is an output that is not supported")
    if node.op == "Shape" and node.inputs[0] in state.maps:
        part = slice(node.attributes.get("start"), node.attributes.get("end"))
        state.constants[node.outputs[0]] = np.array(state.maps[node.inputs[0]].shape[part], np.int64)
    elif not any(name in state.maps for name in node.inputs):
        _fold(node, state)
    elif node.op in OPERATORS:
        state.maps[node.outputs[0]] = OPERATORS[node.op](Step(node, state))
        state.producers[node.outputs[0]] = node
    else:
        raise _unsupported(node, state)


def _fold(node: Node, state: State) -> None:
    inputs = [state.constants[name] if name else None for name in node.inputs]
    outputs = fold(node, inputs, state.network.opset)
    if outputs is None:
        raise _unsupported(node, state)
    state.constants.update(outputs)


def _unsupported(node: Node, state: State) -> ModelError:
    return Step(node, state).fail(f"operator {node.op} is not supported (supported: {', '.join(sorted(OPERATORS))})")


def _before_pooling(nodes: List[Node], state: State, target: str) -> Optional[str]:
    for tensor in reversed(state.pooled):
        if not _reaches(nodes, state, target, without=tensor):
            return tensor
    return None


def _reaches(nodes: List[Node], state: State, target: str, without: str) -> bool:
    """Whether the target still depends on the image when one tensor is taken away. Shapes carry no pixels."""
    reached: Set[str] = {state.network.input} - {without}
    for node in nodes:
        if reached.intersection(node.inputs) and node.op != "Shape":
            reached.update(name for name in node.outputs if name != without)
    return target in reached


def _features(state: State, tensor: str, target: str) -> Output:
    if tensor == target:
        return Output(_chosen(state, tensor), f"the tensor {tensor}, nothing was cut off")
    left = _leading_to(state.network.nodes, target)
    behind = left[_index_of(left, tensor) + 1 :]
    ops = ", ".join(dict.fromkeys(node.op for node in behind))
    reason = f"the tensor {tensor}; cut off behind it: {len(behind)} nodes ({ops})"
    if not any(node.op in ("Conv", "Gemm", "MatMul") for node in behind):
        reason += ", none with weights: if the classifier comes before the pooling, name what it reads with --output"
    return Output(_chosen(state, tensor), reason)


def _index_of(nodes: List[Node], tensor: str) -> int:
    return next((index for index, node in enumerate(nodes) if tensor in node.outputs), -1)


def _chosen(state: State, tensor: str) -> Map:
    found = state.maps.get(tensor)
    if found is None or found.node == INPUT:
        what = "is constant" if found is None else "is the image"
        raise ModelError(f"the output {tensor!r} {what}; choose another with --output")
    return found.with_node()


def _sides(shape: Tuple[Optional[int], ...]) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape)
