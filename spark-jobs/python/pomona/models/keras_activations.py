# SPDX-License-Identifier: Apache-2.0
"""Activations of Keras: as layers of their own, as arguments of other layers, and as operations of keras.ops."""

from typing import Any, Dict, Tuple

from pomona.models.graph import GraphBuilder
from pomona.models.keras_call import LAYERS, Call, Value, class_name, layer

_LARGEST = 3.4028234663852886e38  # of fp32: as good as no limit

# Functions of keras.activations -> our kind and its attributes; kind "" changes nothing.
FUNCTIONS: Dict[str, Tuple[str, Dict[str, Any]]] = {
    "linear": ("", {}),
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "leaky_relu": ("leaky_relu", {"alpha": 0.2}),
    "sigmoid": ("sigmoid", {}),
    "silu": ("swish", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_silu": ("hard_swish", {}),
    "gelu": ("gelu", {}),
    "tanh": ("tanh", {}),
    "softmax": ("softmax", {}),
}


def activate(call: Call, x: str, activation: Any, graph: GraphBuilder) -> str:
    """The activation that a layer carries as an argument becomes a node behind the layer's node x."""
    if class_name(activation) in LAYERS:  # a layer may stand there too
        made = LAYERS[class_name(activation)](call.behind(activation, x), graph)
        return made.node if isinstance(made, Value) else made
    kind, attributes = _function(call, activation)
    return _node(x, call.extra(kind), kind, attributes, graph) if kind else x


def _function(call: Call, function: Any) -> Tuple[str, Dict[str, Any]]:
    from keras import activations

    name = getattr(function, "__name__", type(function).__name__)
    known = name in FUNCTIONS and activations.get(name) is function
    call.require(known, f"activation={name}")
    return FUNCTIONS[name]


def _node(x: str, name: str, kind: str, attributes: Dict[str, Any], graph: GraphBuilder) -> str:
    if kind == "softmax":
        return graph.node("softmax", name, x)
    return graph.node("activation", name, x, kind=kind, **attributes)


def _alone(call: Call, kind: str, attributes: Dict[str, Any], graph: GraphBuilder) -> Value:
    """An activation that is a layer. All but softmax work number by number, so that a map may be reshaped."""
    if not kind:
        return call.view()
    x = call.map() if kind == "softmax" else call.inputs[0].node
    return Value(_node(x, call.name, kind, attributes, graph), call.inputs[0].map, call.shape)


@layer("Activation")
def _activation(call: Call, graph: GraphBuilder) -> Value:
    if class_name(call.layer.activation) in LAYERS:
        return call.alike(activate(call, call.inputs[0].node, call.layer.activation, graph))
    return _alone(call, *_function(call, call.layer.activation), graph)


@layer("Softmax", "ops.Softmax")
def _softmax(call: Call, graph: GraphBuilder) -> Value:
    call.require(call.layer.axis in (-1, len(call.inputs[0].shape)), f"axis={call.layer.axis}")
    return _alone(call, "softmax", {}, graph)


@layer("LeakyReLU", "ops.LeakyRelu")
def _leaky_relu(call: Call, graph: GraphBuilder) -> Value:
    return _alone(call, "leaky_relu", {"alpha": float(call.layer.negative_slope)}, graph)


@layer("ReLU")
def _relu(call: Call, graph: GraphBuilder) -> Value:
    """slope * x below zero, x, and max_value from there on."""
    relu = call.layer
    slope, limit = float(relu.negative_slope or 0), relu.max_value
    call.require(not relu.threshold, f"threshold={relu.threshold}")
    if not slope:
        kinds = {None: ("relu", {}), 6.0: ("relu6", {})}
        return _alone(call, *kinds.get(limit, ("clip", {"low": 0.0, "high": float(limit or 0)})), graph)
    if limit is None:
        return _alone(call, "leaky_relu", {"alpha": slope}, graph)
    x = _node(call.inputs[0].node, call.extra("leaky_relu"), "leaky_relu", {"alpha": slope}, graph)
    return call.alike(_node(x, call.name, "clip", {"low": -_LARGEST, "high": float(limit)}, graph))


@layer("ops.Gelu")
def _gelu(call: Call, graph: GraphBuilder) -> Value:
    return _alone(call, "gelu", {"approximate": bool(call.layer.approximate)}, graph)


_OPERATIONS = {
    "ops.Relu": "relu",
    "ops.Relu6": "relu6",
    "ops.Sigmoid": "sigmoid",
    "ops.Silu": "silu",
    "ops.HardSigmoid": "hard_sigmoid",
    "ops.HardSilu": "hard_silu",
    "ops.Tanh": "tanh",
}


@layer(*_OPERATIONS)
def _operation(call: Call, graph: GraphBuilder) -> Value:
    return _alone(call, *FUNCTIONS[_OPERATIONS[class_name(call.layer)]], graph)
