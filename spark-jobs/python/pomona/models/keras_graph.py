# SPDX-License-Identifier: Apache-2.0
"""Walks a Keras functional model and writes its layers as nodes of our graph, unfused.

A layer class joins by one function under `@layer("ClassName")`. It receives the layer, the names of its inputs and the
builder, adds its nodes, and returns the name of the node that holds the layer's output.
"""

from typing import Any, Callable, Dict, List

import numpy as np

from pomona.models import ModelError
from pomona.models.graph import INPUT, GraphBuilder

Convert = Callable[[Any, List[str], GraphBuilder], str]
LAYERS: Dict[str, Convert] = {}


def layer(class_name: str) -> Callable[[Convert], Convert]:
    def register(function: Convert) -> Convert:
        LAYERS[class_name] = function
        return function

    return register


def check_supported(class_name: str, name: str) -> None:
    if class_name not in LAYERS:
        raise ModelError(f"layer {name}: class {class_name} is not supported; supported: {', '.join(sorted(LAYERS))}")


def walk(model: Any, graph: GraphBuilder) -> str:
    """Adds every layer of the model, in order; returns the node of its one output."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"{model.name}: {len(model.inputs)} inputs and {len(model.outputs)} outputs; one of each works"
        )
    outputs: Dict[str, str] = {}
    for operation in model.operations:
        check_supported(type(operation).__name__, operation.name)
        inputs = [outputs[producer] for producer in _producers(operation)]
        outputs[operation.name] = LAYERS[type(operation).__name__](operation, inputs, graph)
    return outputs[model.outputs[0]._keras_history.operation.name]


def _producers(operation: Any) -> List[str]:
    """Names of the layers that feed this one."""
    if len(operation._inbound_nodes) != 1:
        raise ModelError(f"layer {operation.name}: is used more than once; shared layers are not supported")
    return [tensor._keras_history.operation.name for tensor in operation._inbound_nodes[0].input_tensors]


def _require(layer: Any, condition: bool, what: str) -> None:
    if not condition:
        raise ModelError(f"layer {layer.name}: {type(layer).__name__} with {what} is not supported")


def array(variable: Any) -> np.ndarray:
    """The value of a Keras variable in fp32."""
    from keras import ops

    return np.asarray(ops.convert_to_numpy(variable), np.float32)


@layer("InputLayer")
def _input(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    return INPUT


@layer("Conv2D")
def _conv2d(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    """Keras and the format agree on [kh][kw][in / groups][out]."""
    attributes = _window(layer)
    if layer.groups != 1:
        attributes["groups"] = layer.groups
    x = graph.node("conv2d", layer.name, inputs, _kernel_and_bias(layer), **attributes)
    return _activate(layer, x, graph)


@layer("DepthwiseConv2D")
def _depthwise_conv2d(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    x = graph.node("depthwise_conv2d", layer.name, inputs, _kernel_and_bias(layer), **_window(layer))
    return _activate(layer, x, graph)


@layer("BatchNormalization")
def _batch_normalization(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
    _require(layer, axis in (-1, 3), f"axis={layer.axis}")
    weights = {"mean": layer.moving_mean, "variance": layer.moving_variance}
    weights = {"gamma": layer.gamma, **weights} if layer.scale else weights
    weights = {"beta": layer.beta, **weights} if layer.center else weights
    arrays = {role: array(variable) for role, variable in weights.items()}
    return graph.node("batch_norm", layer.name, inputs, arrays, epsilon=float(layer.epsilon))


@layer("ReLU")
def _relu(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    _require(layer, not layer.negative_slope and not layer.threshold, "negative_slope or threshold")
    kinds = {None: "relu", 6.0: "relu6"}
    _require(layer, layer.max_value in kinds, f"max_value={layer.max_value}")
    return graph.node("activation", layer.name, inputs, kind=kinds[layer.max_value])


@layer("Activation")
def _activation(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    kind = _activation_kind(layer)
    return graph.node("activation", layer.name, inputs, kind=kind) if kind else inputs[0]


@layer("ZeroPadding2D")
def _zero_padding2d(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    _require(layer, layer.data_format == "channels_last", f"data_format={layer.data_format}")
    (top, bottom), (left, right) = layer.padding
    return graph.node("zero_pad", layer.name, inputs, padding=[top, bottom, left, right])


@layer("Add")
def _add(layer: Any, inputs: List[str], graph: GraphBuilder) -> str:
    _require(layer, len(inputs) == 2, f"{len(inputs)} inputs")
    return graph.node("add", layer.name, inputs)


def _window(layer: Any) -> Dict[str, Any]:
    _require(layer, layer.data_format == "channels_last", f"data_format={layer.data_format}")
    _require(layer, layer.padding in ("valid", "same"), f"padding={layer.padding}")
    attributes: Dict[str, Any] = {"strides": list(layer.strides), "padding": layer.padding}
    if tuple(layer.dilation_rate) != (1, 1):
        attributes["dilations"] = list(layer.dilation_rate)
    return attributes


def _kernel_and_bias(layer: Any) -> Dict[str, np.ndarray]:
    weights = {"kernel": array(layer.kernel)}
    if layer.use_bias:
        weights["bias"] = array(layer.bias)
    return weights


def _activate(layer: Any, x: str, graph: GraphBuilder) -> str:
    """The activation that a layer carries as an argument becomes a node behind it."""
    kind = _activation_kind(layer)
    return graph.node("activation", f"{x}_{kind}", x, kind=kind) if kind else x


def _activation_kind(layer: Any) -> str:
    """Our name for the activation of a layer; "" for none at all."""
    kinds = {"linear": "", "relu": "relu", "relu6": "relu6"}
    name = getattr(layer.activation, "__name__", str(layer.activation))
    _require(layer, name in kinds, f"activation={name}")
    return kinds[name]
