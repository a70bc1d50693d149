# SPDX-License-Identifier: Apache-2.0
"""The graph of a model file: what may stand in it (docs/model-format.md), and a builder that checks it."""

from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Optional, Sequence, Tuple, Union

import numpy as np

from pomona.models import ModelError, container
from pomona.models.preprocess import Rules, followed_by, rules_of

VERSION = 1
MAX_NODES = 4_096
INPUT = "input"


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


_NO_AFFINE = {"scale": np.ones(3), "shift": np.zeros(3)}


class GraphBuilder:
    """Collects nodes and tensors in order, then gives the bytes of a model file."""

    def __init__(self, name: str, input_size: Union[int, Tuple[int, int]], preprocess: str):
        height, width = (input_size, input_size) if isinstance(input_size, int) else input_size
        self.name = name
        self._input = {"name": INPUT, "height": height, "width": width, "channels": 3}
        self._preprocess = rules_of(preprocess)
        self._nodes: Dict[str, Dict[str, Any]] = {}
        self._tensors: Dict[str, np.ndarray] = {}

    @property
    def preprocess(self) -> Rules:
        """The rules; those of scaling layers at the input are in them once the graph is finished."""
        return self._preprocess

    @property
    def input_shape(self) -> Tuple[int, int, int]:
        """Height, width, channels."""
        return (self._input["height"], self._input["width"], self._input["channels"])

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

    def finish(self, features: str, provenance: Dict[str, Any], classes: Optional[Sequence[str]] = None) -> bytes:
        """The model file, with the output of node `features` as its feature map, and what that needs alone."""
        if features not in self._nodes:
            raise ModelError(f"the output {features!r} is no node of the graph")
        self._prune(features)
        self._fold_input(features)
        graph: Dict[str, Any] = {
            "version": VERSION,
            "name": self.name,
            "input": self._input,
            "preprocess": self._preprocess,
            "nodes": list(self._nodes.values()),
            "outputs": {"features": features},
        }
        if classes:
            graph["classes"] = list(classes)
        return container.write({**graph, "provenance": provenance}, self._tensors)

    def _prune(self, features: str) -> None:
        """Drops what the output does not depend on."""
        needed = {features}
        for node in reversed(list(self._nodes.values())):
            if node["name"] in needed:
                needed.update(node["inputs"])
            else:
                self._drop(node["name"])

    def _drop(self, name: str) -> Dict[str, Any]:
        """Takes a node out; returns its tensors by role."""
        node = self._nodes.pop(name)
        return {role: self._tensors.pop(tensor) for role, tensor in node.get("weights", {}).items()}

    def _fold_input(self, features: str) -> None:
        """Scaling layers at the input become part of the preprocessing."""
        while True:
            readers = [node for node in self._nodes.values() if INPUT in node["inputs"]]
            if len(readers) != 1 or readers[0]["op"] != "affine" or readers[0]["name"] == features:
                return
            name = readers[0]["name"]
            scale, shift = (self._tensors.get(f"{name}/{role}", default) for role, default in _NO_AFFINE.items())
            rules = followed_by(self._preprocess, scale, shift)
            if not rules:
                return
            self._preprocess = rules
            self._drop(name)
            for node in self._nodes.values():
                node["inputs"] = [INPUT if source == name else source for source in node["inputs"]]

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
