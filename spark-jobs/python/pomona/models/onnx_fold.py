# SPDX-License-Identifier: Apache-2.0
"""Computes what is constant in an ONNX graph: axes and shapes, scalars, weights that pass through a Transpose.

ONNX's own reference evaluator does the arithmetic, of the operators listed here, and of each only as far as its result
is no larger than what the file already holds: a few bytes can ask for any amount of memory.
"""

import math
from typing import Any, Dict, List, Optional

import numpy as np

from pomona.models import ModelError
from pomona.models.onnx_files import Node, start_onnx

_SMALL = 65_536  # elements that any operator may give
_ELEMENTWISE = frozenset(
    "Add Sub Mul Div Neg Sqrt Reciprocal Pow Exp Abs Floor Ceil Mod Min Max Equal Less Greater Not And Or Where "
    "Cast Clip".split()
)
_OTHERS = frozenset(
    "Shape Size Gather Concat Slice Split Squeeze Unsqueeze Reshape Flatten Transpose ReduceProd ReduceSum ReduceMax "
    "ReduceMin ReduceMean Range ConstantOfShape Expand Tile".split()
)


def fold(node: Node, inputs: List[Optional[np.ndarray]], opset: int) -> Optional[Dict[str, np.ndarray]]:
    """The outputs of a node whose inputs are all constant, or None where its operator is not computed here."""
    if node.op == "Identity":
        return {node.outputs[0]: inputs[0]}
    if node.op == "Constant":
        return {node.outputs[0]: _constant(node)}
    if node.op not in _ELEMENTWISE | _OTHERS:
        return None
    try:
        _check_size(node, inputs)
        return _evaluate(node, inputs, opset)
    except ModelError:
        raise
    except Exception as error:  # whatever the evaluator raises for operands that do not fit
        raise ModelError(f"{node}: cannot be computed from its constants: {error}") from error


def _constant(node: Node) -> np.ndarray:
    for key in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if key in node.attributes:
            kind = {"value_float": np.float32, "value_int": np.int64}.get(key.rstrip("s"))
            return np.asarray(node.attributes[key], kind)
    raise ModelError(f"{node}: holds {', '.join(node.attributes) or 'nothing'}; numbers are supported")


def _check_size(node: Node, inputs: List[Optional[np.ndarray]]) -> None:
    given = [array for array in inputs if array is not None]
    allowed = max(_SMALL, sum(array.size for array in given))
    if _result_size(node, given) > allowed:
        raise ModelError(f"{node}: would make more than {allowed} constants: refused")


def _result_size(node: Node, given: List[np.ndarray]) -> int:
    """How many elements come out, for the operators that can give more than they take."""
    if node.op in _ELEMENTWISE:
        return math.prod(np.broadcast_shapes(*(array.shape for array in given)))
    if node.op == "ConstantOfShape":
        return math.prod(given[0].tolist())
    if node.op == "Expand":
        return math.prod(np.broadcast_shapes(given[0].shape, tuple(given[1].tolist())))
    if node.op == "Tile":
        return given[0].size * math.prod(given[1].tolist())
    if node.op == "Range":
        start, limit, step = (array.item() for array in given)
        return max(0, math.ceil((limit - start) / step))
    if node.op == "Gather":
        return given[1].size * given[0].size // max(1, given[0].shape[node.attributes.get("axis", 0)])
    return 0


def _evaluate(node: Node, inputs: List[Optional[np.ndarray]], opset: int) -> Dict[str, np.ndarray]:
    from onnx.reference import ReferenceEvaluator

    feeds = {name: array for name, array in zip(node.inputs, inputs) if name}
    outputs = [name for name in node.outputs if name]
    results = ReferenceEvaluator(_model(node, list(feeds), outputs, opset)).run(None, feeds)
    return {name: np.asarray(result) for name, result in zip(outputs, results)}


def _model(node: Node, inputs: List[str], outputs: List[str], opset: int) -> Any:
    """A model of this one node: the evaluator takes the operator's version from a model alone."""
    helper = start_onnx().helper
    values = [[helper.make_empty_tensor_value_info(name) for name in names] for names in (inputs, outputs)]
    graph = helper.make_graph([node.proto], "constants", *values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
