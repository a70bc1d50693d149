# SPDX-License-Identifier: Apache-2.0
"""What each layer class of Keras becomes: one function under `@layer("ClassName")`, which adds nodes and returns the
name of the node that holds the layer's output. What is not named here is refused by name.
"""

from typing import Any, Dict, Union

import numpy as np

from pomona.models.graph import GraphBuilder
from pomona.models.keras_activations import activate
from pomona.models.keras_call import LAYERS, Call, Value, array, layer

__all__ = ["LAYERS"]

# Layers that do nothing once a network is trained. (RandomCrop does: it crops the centre.)
layer(
    *("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "StochasticDepth"),
    *("RandomBrightness", "RandomColorJitter", "RandomContrast", "RandomErasing", "RandomFlip", "RandomHue"),
    *("RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom"),
    *("ActivityRegularization", "Identity", "Flatten", "Reshape", "ops.Reshape", "ops.Identity"),
)(lambda call, graph: call.view())


@layer("Conv2D")
def _conv2d(call: Call, graph: GraphBuilder) -> str:
    """Keras and the format agree on [kh][kw][in / groups][out]. With a group for each channel that is a depthwise
    kernel [kh][kw][channels][multiplier] in the same order."""
    conv, weights, attributes = call.layer, _kernel_and_bias(call.layer), _window(call)
    op = "conv2d"
    if conv.groups == call.channels > 1:
        kernel = weights["kernel"]
        op, weights["kernel"] = "depthwise_conv2d", kernel.reshape(*kernel.shape[:2], conv.groups, -1)
    elif conv.groups != 1:
        attributes["groups"] = conv.groups
    return activate(call, graph.node(op, call.name, call.map(), weights, **attributes), conv.activation, graph)


@layer("DepthwiseConv2D")
def _depthwise_conv2d(call: Call, graph: GraphBuilder) -> str:
    weights = _kernel_and_bias(call.layer)
    x = graph.node("depthwise_conv2d", call.name, call.map(), weights, **_window(call))
    return activate(call, x, call.layer.activation, graph)


@layer("SeparableConv2D")
def _separable_conv2d(call: Call, graph: GraphBuilder) -> str:
    conv = call.layer
    depthwise = {"kernel": array(conv.depthwise_kernel)}
    x = graph.node("depthwise_conv2d", call.extra("depthwise"), call.map(), depthwise, **_window(call))
    pointwise = {"kernel": array(conv.pointwise_kernel), **_bias(conv)}
    return activate(call, graph.node("conv2d", call.name, x, pointwise), conv.activation, graph)


@layer("Dense")
def _dense(call: Call, graph: GraphBuilder) -> str:
    """A convolution over the last axis of a map, or over all of a map that was flattened: rows, columns, channels."""
    dense, value = call.layer, call.inputs[0]
    weights = _kernel_and_bias(dense)
    window = (1, 1, value.shape[-1])
    if value.shape != value.map:
        call.require(len(value.shape) == 1, f"an input reshaped to {value.shape}")
        window = value.map
    weights["kernel"] = weights["kernel"].reshape(*window, -1)
    return activate(call, graph.node("conv2d", call.name, value.node, weights), dense.activation, graph)


@layer("BatchNormalization")
def _batch_normalization(call: Call, graph: GraphBuilder) -> str:
    norm = call.layer
    _require_last_axis(call, norm.axis)
    weights = {"mean": norm.moving_mean, "variance": norm.moving_variance}
    weights = {"gamma": norm.gamma, **weights} if norm.scale else weights
    weights = {"beta": norm.beta, **weights} if norm.center else weights
    arrays = {role: array(variable) for role, variable in weights.items()}
    return graph.node("batch_norm", call.name, call.map(), arrays, epsilon=float(norm.epsilon))


@layer("LayerNormalization")
def _layer_normalization(call: Call, graph: GraphBuilder) -> str:
    norm = call.layer
    _require_last_axis(call, norm.axis)
    call.require(not getattr(norm, "rms_scaling", False), "rms_scaling")
    weights = {"gamma": norm.gamma} if norm.scale else {}
    weights = {**weights, "beta": norm.beta} if norm.center else weights
    arrays = {role: array(variable) for role, variable in weights.items()}
    return graph.node("layer_norm", call.name, call.map(), arrays, epsilon=float(norm.epsilon))


@layer("LayerScale")
def _layer_scale(call: Call, graph: GraphBuilder) -> str:
    return graph.node("affine", call.name, call.map(), {"scale": array(call.layer.gamma)})


@layer("Rescaling")
def _rescaling(call: Call, graph: GraphBuilder) -> str:
    weights = {"scale": call.layer.scale, "shift": call.layer.offset}
    return graph.node("affine", call.name, call.map(), _by_channel(call, weights))


@layer("Normalization")
def _normalization(call: Call, graph: GraphBuilder) -> str:
    """(x - mean) / max(sqrt(variance), Keras's epsilon of 1e-7), or the way back."""
    norm = call.layer
    adapted = norm.input_mean is None
    mean, variance = (norm.adapt_mean, norm.adapt_variance) if adapted else (norm.input_mean, norm.input_variance)
    mean, variance = (np.asarray(array(x) if adapted else x, np.float64).ravel() for x in (mean, variance))
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    scale, shift = (deviation, mean) if norm.invert else (1 / deviation, -mean / deviation)
    return graph.node("affine", call.name, call.map(), _by_channel(call, {"scale": scale, "shift": shift}))


@layer("AveragePooling2D", "MaxPooling2D")
def _pooling2d(call: Call, graph: GraphBuilder) -> str:
    op = "avg_pool" if type(call.layer).__name__ == "AveragePooling2D" else "max_pool"
    return graph.node(op, call.name, call.map(), pool=list(call.layer.pool_size), **_window(call))


@layer("GlobalAveragePooling2D", "GlobalMaxPooling2D")
def _global_pooling2d(call: Call, graph: GraphBuilder) -> str:
    _require_channels_last(call)
    kind = "avg" if "Average" in type(call.layer).__name__ else "max"
    return graph.node("global_pool", call.name, call.map(), kind=kind)


@layer("ops.Mean", "ops.Max")
def _mean(call: Call, graph: GraphBuilder) -> str:
    """Over the pixels of a map."""
    axes = [axis % 4 for axis in call.layer.axis or ()]
    call.require(sorted(axes) == [1, 2] and len(call.inputs[0].shape) == 3, f"axis={call.layer.axis}")
    kind = "avg" if type(call.layer).__name__ == "Mean" else "max"
    return graph.node("global_pool", call.name, call.map(), kind=kind)


@layer("ZeroPadding2D")
def _zero_padding2d(call: Call, graph: GraphBuilder) -> str:
    _require_channels_last(call)
    return graph.node("zero_pad", call.name, call.map(), padding=np.ravel(call.layer.padding).tolist())


@layer("Cropping2D")
def _cropping2d(call: Call, graph: GraphBuilder) -> str:
    _require_channels_last(call)
    return graph.node("crop", call.name, call.map(), cropping=np.ravel(call.layer.cropping).tolist())


@layer("Add", "ops.Add")
def _add(call: Call, graph: GraphBuilder) -> Union[str, Value]:
    if len(call.inputs) == 1:  # x + 3
        return graph.node("affine", call.name, call.map(), _by_channel(call, {"shift": call.constant()[1]}))
    return _merge(call, "add", graph)


@layer("Multiply", "ops.Multiply")
def _multiply(call: Call, graph: GraphBuilder) -> Union[str, Value]:
    if len(call.inputs) == 1:
        return graph.node("affine", call.name, call.map(), _by_channel(call, {"scale": call.constant()[1]}))
    return _merge(call, "multiply", graph)


@layer("ops.TrueDivide", "ops.Divide")
def _divide(call: Call, graph: GraphBuilder) -> str:
    place, number = call.constant()
    call.require(place == 1, "what divides not a constant")
    return graph.node("affine", call.name, call.map(), _by_channel(call, {"scale": 1 / number}))


@layer("Average")
def _average(call: Call, graph: GraphBuilder) -> str:
    call.maps()
    total = _merge(call, "add", graph, call.extra("sum")).node
    scale = np.full(call.channels, 1 / len(call.inputs))
    return graph.node("affine", call.name, total, {"scale": scale})


@layer("Subtract", "ops.Subtract")
def _subtract(call: Call, graph: GraphBuilder) -> str:
    """a - b as a + (-1 * b); b may be of one pixel, but not a alone."""
    if len(call.inputs) == 1:
        place, number = call.constant()  # x - number, or number - x
        weights = {"shift": -number} if place == 1 else {"scale": -1, "shift": number}
        return graph.node("affine", call.name, call.map(), _by_channel(call, weights))
    a, b = call.inputs
    call.require(b.map in (a.map, (1, 1, a.map[2])), f"inputs of {a.shape} and {b.shape}")
    minus = graph.node("affine", call.extra("minus"), call.map(1), {"scale": np.full(b.map[2], -1.0)})
    return graph.node("add", call.name, [call.map(0), minus])


@layer("CustomScaleLayer")
def _custom_scale_layer(call: Call, graph: GraphBuilder) -> str:
    """InceptionResNetV2's residual: a + scale * b."""
    scale = np.full(call.channels, call.layer.scale)
    scaled = graph.node("affine", call.extra("scale"), call.map(1), {"scale": scale})
    return graph.node("add", call.name, [call.map(0), scaled])


@layer("Concatenate", "ops.Concatenate")
def _concatenate(call: Call, graph: GraphBuilder) -> str:
    _require_last_axis(call, call.layer.axis)
    return graph.node("concat", call.name, call.maps())


def _merge(call: Call, op: str, graph: GraphBuilder, name: str = "") -> Value:
    """a op b op c ...: the whole maps first, then those of one pixel, which every pixel of the others meets."""
    values = sorted(call.inputs, key=lambda value: -np.prod(value.map))
    whole = values[0]
    for value in values:
        fits = value.map in (whole.map, (1, 1, whole.map[2]))
        same = value.shape == whole.shape or (len(value.shape) in (1, 3) and value.shape[-1] == value.map[2])
        call.require(fits and same, f"inputs of {whole.shape} and {value.shape}")
    x = whole.node
    for number, value in enumerate(values[1:], 2):
        last = number == len(values)
        x = graph.node(op, (name or call.name) if last else call.extra(str(number)), [x, value.node])
    return Value(x, whole.map, call.shape)


def _window(call: Call) -> Dict[str, Any]:
    """Strides, padding and dilation of a convolution or pooling."""
    window = call.layer
    _require_channels_last(call)
    padding = window.padding.lower()
    call.require(padding in ("valid", "same"), f"padding={window.padding}")
    attributes: Dict[str, Any] = {"strides": list(window.strides), "padding": padding}
    dilation = tuple(getattr(window, "dilation_rate", (1, 1)))
    if dilation != (1, 1):
        attributes["dilations"] = list(dilation)
    return attributes


def _kernel_and_bias(conv: Any) -> Dict[str, np.ndarray]:
    return {"kernel": array(conv.kernel), **_bias(conv)}


def _bias(conv: Any) -> Dict[str, np.ndarray]:
    return {"bias": array(conv.bias)} if conv.use_bias else {}


def _by_channel(call: Call, weights: Dict[str, Any]) -> Dict[str, np.ndarray]:
    """One number, or one a channel, in float64: what can be folded is rounded once, afterwards."""
    arrays = {role: np.asarray(value, np.float64).ravel() for role, value in weights.items()}
    for role, numbers in arrays.items():
        call.require(numbers.size in (1, call.channels), f"{role} of {numbers.size} numbers")
    return {role: np.broadcast_to(numbers, call.channels) for role, numbers in arrays.items()}


def _require_channels_last(call: Call) -> None:
    call.require(call.layer.data_format == "channels_last", f"data_format={call.layer.data_format}")


def _require_last_axis(call: Call, axis: Any) -> None:
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    call.require(list(axes) in ([-1], [len(call.inputs[0].shape)]), f"axis={axis}")
