# SPDX-License-Identifier: Apache-2.0
"""The graph of a model file: what may stand in it (docs/model-format.md), and a builder that checks it."""

from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple, Union

import numpy as np

from pomona.models import ModelError, container

VERSION = 1
MAX_NODES = 4_096
INPUT = "input"


def _preprocess(mode: str, channels: str, divide: Any, subtract: Any, std: Any) -> Dict[str, Any]:
    def three(value: Any) -> List[float]:
        return list(value) if isinstance(value, tuple) else [value] * 3

    return {
        "mode": mode,
        "channels": channels,
        "divide": three(divide),
        "subtract": three(subtract),
        "std": three(std),
    }


# The one table of preprocessing: float = (byte / divide - subtract) / std, in fp32 and in this order.
PREPROCESS: Dict[str, Dict[str, Any]] = {
    row[0]: _preprocess(*row)
    for row in (
        ("tf", "rgb", 127.5, 1, 1),
        ("caffe", "bgr", 1, (103.939, 116.779, 123.68), 1),
        ("torch", "rgb", 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("lite", "rgb", 1, 127, 128),
        ("none", "rgb", 1, 0, 1),
    )
}


@dataclass(frozen=True)
class Operator:
    """What a node of one kind takes: `inputs` of them, or at least so many where `more` may follow. `weights` gives the
    rank of the tensor in each role."""

    inputs: int = 1
    weights: Dict[str, int] = field(default_factory=dict)
    optional: FrozenSet[str] = frozenset()
    attributes: FrozenSet[str] = frozenset()
    required: FrozenSet[str] = frozenset()
    more: bool = False


@dataclass(frozen=True)
class Kind:
    """The attributes of one kind of activation."""

    required: FrozenSet[str] = frozenset()
    optional: FrozenSet[str] = frozenset()


ACTIVATIONS: Dict[str, Kind] = {
    "relu": Kind(),
    "relu6": Kind(),
    "clip": Kind(frozenset({"low", "high"})),
    "leaky_relu": Kind(frozenset({"alpha"})),
    "sigmoid": Kind(),
    "swish": Kind(),
    "hard_sigmoid": Kind(optional=frozenset({"alpha", "beta"})),
    "hard_swish": Kind(),
    "gelu": Kind(optional=frozenset({"approximate"})),
    "tanh": Kind(),
}

_WINDOW = frozenset({"strides", "dilations", "padding"})
_POOL = frozenset({"pool", "strides", "padding", "ceil"})

OPERATORS: Dict[str, Operator] = {
    "conv2d": Operator(1, {"kernel": 4, "bias": 1}, frozenset({"bias"}), _WINDOW | {"groups"}),
    "depthwise_conv2d": Operator(1, {"kernel": 4, "bias": 1}, frozenset({"bias"}), _WINDOW),
    "batch_norm": Operator(
        1,
        {"gamma": 1, "beta": 1, "mean": 1, "variance": 1},
        frozenset({"gamma", "beta"}),
        frozenset({"epsilon"}),
        frozenset({"epsilon"}),
    ),
    "layer_norm": Operator(
        1,
        {"gamma": 1, "beta": 1},
        frozenset({"gamma", "beta"}),
        frozenset({"epsilon"}),
        frozenset({"epsilon"}),
    ),
    "affine": Operator(1, {"scale": 1, "shift": 1}, frozenset({"scale", "shift"})),
    "activation": Operator(
        1,
        attributes=frozenset({"kind"}).union(*(kind.required | kind.optional for kind in ACTIVATIONS.values())),
        required=frozenset({"kind"}),
    ),
    "softmax": Operator(1),
    "zero_pad": Operator(1, attributes=frozenset({"padding"}), required=frozenset({"padding"})),
    "crop": Operator(1, attributes=frozenset({"cropping"}), required=frozenset({"cropping"})),
    "add": Operator(2),
    "multiply": Operator(2),
    "concat": Operator(2, more=True),
    "max_pool": Operator(1, attributes=_POOL, required=frozenset({"pool"})),
    "avg_pool": Operator(1, attributes=_POOL | {"count_padding"}, required=frozenset({"pool"})),
    "global_pool": Operator(1, attributes=frozenset({"kind"}), required=frozenset({"kind"})),
}


class GraphBuilder:
    """Collects nodes and tensors in order, then gives the bytes of a model file."""

    def __init__(self, name: str, input_size: Union[int, Tuple[int, int]], preprocess: str):
        if preprocess not in PREPROCESS:
            raise ModelError(f"unknown preprocessing {preprocess!r}; known: {', '.join(PREPROCESS)}")
        height, width = (input_size, input_size) if isinstance(input_size, int) else input_size
        self.name = name
        self._input = {"name": INPUT, "height": height, "width": width, "channels": 3}
        self._preprocess = PREPROCESS[preprocess]
        self._nodes: Dict[str, Dict[str, Any]] = {}
        self._tensors: Dict[str, np.ndarray] = {}

    def node(
        self,
        op: str,
        name: str,
        inputs: Union[str, Sequence[str]],
        weights: Optional[Dict[str, np.ndarray]] = None,
        **attributes: Any,
    ) -> str:
        """Adds one node and returns its name. The tensor of role r is stored as `<name>/<r>`."""
        inputs = [inputs] if isinstance(inputs, str) else list(inputs)
        weights = weights or {}
        self._check_names(name, inputs)
        _check_operator(name, op, inputs, weights, attributes)
        node: Dict[str, Any] = {"name": name, "op": op, "inputs": inputs}
        if weights:
            node["weights"] = {role: f"{name}/{role}" for role in weights}
            self._tensors.update({f"{name}/{role}": np.asarray(tensor) for role, tensor in weights.items()})
        if attributes:
            node["attributes"] = attributes
        self._nodes[name] = node
        return name

    def finish(self, features: str, provenance: Dict[str, Any]) -> bytes:
        """The model file, with the output of node `features` as its feature map."""
        if features not in self._nodes:
            raise ModelError(f"the output {features!r} is no node of the graph")
        graph = {
            "version": VERSION,
            "name": self.name,
            "input": self._input,
            "preprocess": self._preprocess,
            "nodes": list(self._nodes.values()),
            "outputs": {"features": features},
            "provenance": provenance,
        }
        return container.write(graph, self._tensors)

    def _check_names(self, name: str, inputs: Sequence[str]) -> None:
        if not name or name == INPUT or name in self._nodes:
            raise ModelError(f"{name!r} is taken or empty: each node needs a name of its own")
        if len(self._nodes) == MAX_NODES:
            raise ModelError(f"node {name}: a graph holds at most {MAX_NODES} nodes")
        for source in inputs:
            if source != INPUT and source not in self._nodes:
                raise ModelError(f"node {name}: its input {source!r} is no earlier node")


def _check_operator(
    name: str, op: str, inputs: Sequence[str], weights: Dict[str, np.ndarray], attributes: Dict[str, Any]
) -> None:
    if op not in OPERATORS:
        raise ModelError(f"node {name}: unknown operator {op!r}; known: {', '.join(OPERATORS)}")
    rule = OPERATORS[op]
    if len(inputs) < rule.inputs or (len(inputs) > rule.inputs and not rule.more):
        wanted = f"at least {rule.inputs} inputs" if rule.more else f"{rule.inputs} input(s)"
        raise ModelError(f"node {name}: {op} takes {wanted}, not {len(inputs)}")
    _check_keys(name, "weights", weights, rule.weights, rule.weights.keys() - rule.optional)
    _check_keys(name, "attributes", attributes, rule.attributes, rule.required)
    for role, tensor in weights.items():
        if np.ndim(tensor) != rule.weights[role]:
            raise ModelError(f"node {name}: {role} has shape {np.shape(tensor)}, not {rule.weights[role]} dimensions")
    if op == "activation":
        _check_activation(name, **attributes)


def _check_activation(name: str, kind: str, **attributes: Any) -> None:
    if kind not in ACTIVATIONS:
        raise ModelError(f"node {name}: unknown kind of activation {kind!r}; known: {', '.join(ACTIVATIONS)}")
    rule = ACTIVATIONS[kind]
    _check_keys(name, f"attributes of {kind}", attributes, rule.required | rule.optional, rule.required)


def _check_keys(name: str, what: str, given: Any, known: Any, required: Any) -> None:
    unknown, missing = sorted(set(given) - set(known)), sorted(set(required) - set(given))
    if unknown or missing:
        raise ModelError(f"node {name}: {what} unknown {unknown}, missing {missing}")
