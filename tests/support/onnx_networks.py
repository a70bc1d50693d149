# SPDX-License-Identifier: Apache-2.0
"""Small networks built of the blocks of the well-known ones, as their exporters write them."""

import math
from typing import Callable, Dict

import numpy as np

from support.onnx_writer import OnnxNet

Network = Callable[[], OnnxNet]
NETWORKS: Dict[str, Network] = {}
SIDE = 37  # odd, so that every stride meets an odd and an even map
SEED = 3  # of weights by which every network tells images apart


def network(function: Network) -> Network:
    NETWORKS[function.__name__] = function
    return function


def _conv_bn_act(net: OnnxNet, x: str, inside: int, out: int, size: int, act: str = "Relu", **attributes) -> str:
    x = net.batch_norm(net.conv(x, inside, out, size, bias=False, **attributes), out)
    return {
        "Clip": lambda: net.node("Clip", x, np.float32(0), np.float32(6)),
        "": lambda: x,
        "swish": lambda: swish(net, x),
    }.get(act, lambda: net.node(act, x))()


def swish(net: OnnxNet, x: str) -> str:
    return net.node("Mul", x, net.node("Sigmoid", x))


def _squeeze_excite(net: OnnxNet, x: str, channels: int, act: str) -> str:
    pooled = net.node("ReduceMean", x, axes=[2, 3], keepdims=1)
    inside = net.conv(pooled, channels, 4, 1)
    inside = swish(net, inside) if act == "swish" else net.node(act, inside)
    return net.node("Mul", net.node("Sigmoid", net.conv(inside, 4, channels, 1)), x)


def _classifier(net: OnnxNet, x: str, channels: int, classes: int = 7) -> OnnxNet:
    """The features are what the pooling reads."""
    net.features = x
    net.x = net.dense(net.node("Flatten", net.node("GlobalAveragePool", x), axis=1), channels, classes)
    return net


def _net(**options) -> OnnxNet:
    return OnnxNet(("n", 3, SIDE, SIDE), seed=SEED, **options)


@network
def resnet() -> OnnxNet:
    """torchvision's: symmetric pads, the stride in the 3x3, a projection beside it."""
    net = _net()
    x = _conv_bn_act(net, "image", 3, 8, 7, strides=[2, 2])
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for inside, out, stride in ((8, 8, 1), (8, 16, 2)):
        y = _conv_bn_act(net, x, inside, 8, 1)
        y = _conv_bn_act(net, y, 8, 8, 3, strides=[stride] * 2)
        y = _conv_bn_act(net, y, 8, out, 1, act="")
        x = x if inside == out else _conv_bn_act(net, x, inside, out, 1, act="", strides=[stride] * 2)
        x = net.node("Relu", net.node("Add", y, x))
    return _classifier(net, x, 16)


@network
def mobilenet_v2() -> OnnxNet:
    net = _net()
    x = _conv_bn_act(net, "image", 3, 8, 3, act="Clip", strides=[2, 2])
    for stride in (2, 1):
        y = _conv_bn_act(net, x, 8, 24, 1, act="Clip")
        y = _conv_bn_act(net, y, 24, 24, 3, act="Clip", group=24, strides=[stride] * 2)
        y = _conv_bn_act(net, y, 24, 8, 1, act="")
        x = net.node("Add", x, y) if stride == 1 else y
    return _classifier(net, _conv_bn_act(net, x, 8, 32, 1, act="Clip"), 32)


@network
def mobilenet_v3() -> OnnxNet:
    net = _net()
    x = _conv_bn_act(net, "image", 3, 8, 3, act="HardSwish", strides=[2, 2])
    x = _conv_bn_act(net, x, 8, 8, 5, group=8)
    gate = net.conv(net.node("Relu", net.conv(net.node("GlobalAveragePool", x), 8, 4, 1)), 4, 8, 1)
    x = net.node("Mul", net.node("HardSigmoid", gate, alpha=1 / 6, beta=0.5), x)
    return _classifier(net, _conv_bn_act(net, x, 8, 16, 1, act="HardSwish"), 16)


@network
def efficientnet() -> OnnxNet:
    net = _net()
    x = _conv_bn_act(net, "image", 3, 8, 3, act="swish", strides=[2, 2])
    y = _conv_bn_act(net, x, 8, 24, 1, act="swish")
    y = _conv_bn_act(net, y, 24, 24, 5, act="swish", group=24)
    y = _squeeze_excite(net, y, 24, "swish")
    x = net.node("Add", _conv_bn_act(net, y, 24, 8, 1, act=""), x)
    return _classifier(net, _conv_bn_act(net, x, 8, 32, 1, act="swish"), 32)


@network
def densenet() -> OnnxNet:
    net = _net()
    x, channels = _conv_bn_act(net, "image", 3, 8, 3, strides=[2, 2]), 8
    for _ in range(2):
        y = net.node("Relu", net.batch_norm(x, channels))
        x = net.node("Concat", x, net.conv(y, channels, 6, 3, bias=False), axis=1)
        channels += 6
    x = net.conv(net.node("Relu", net.batch_norm(x, channels)), channels, 10, 1, bias=False)
    x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    return _classifier(net, net.node("Relu", net.batch_norm(x, 10)), 10)


@network
def inception() -> OnnxNet:
    """Windows of 1x7 and 7x1, a pooling branch that counts its padding, colours scaled one by one."""
    net = _net()
    colours = []
    for channel in range(3):
        x = net.node("Unsqueeze", net.node("Gather", "image", np.array(channel), axis=1), np.array([1]))
        colours.append(net.node("Add", net.node("Mul", x, net.draw(1)), net.normal(1)))
    x = _conv_bn_act(net, net.node("Concat", *colours, axis=1), 3, 8, 3, strides=[2, 2], pads=[0] * 4)
    wide = net.node("Conv", x, net.normal(8, 8, 1, 7, scale=0.2), pads=[0, 3, 0, 3])
    tall = net.node("Conv", net.node("Relu", wide), net.normal(8, 8, 7, 1, scale=0.2), pads=[3, 0, 3, 0])
    pooled = net.node("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, count_include_pad=1)
    x = net.node("Concat", net.node("Relu", tall), _conv_bn_act(net, pooled, 8, 4, 1), axis=1)
    down = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    return _classifier(
        net, net.node("Concat", down, _conv_bn_act(net, x, 12, 6, 3, strides=[2, 2], pads=[0] * 4), axis=1), 18
    )


@network
def convnext() -> OnnxNet:
    """torchvision's by PyTorch's older exporter at opset 13: both LayerNormalization and GELU spelled out."""
    net = _net(opset=13)
    x = net.conv("image", 3, 8, 4, strides=[4, 4], pads=[0] * 4)
    x = net.node("Transpose", _layer_norm(net, net.node("Transpose", x, perm=[0, 2, 3, 1]), 8), perm=[0, 3, 1, 2])
    y = net.node("Transpose", net.conv(x, 8, 8, 7, group=8), perm=[0, 2, 3, 1])
    y = net.node("Add", net.node("MatMul", _layer_norm(net, y, 8), net.normal(8, 32, scale=0.4)), net.normal(32))
    gelu = net.node("Add", net.node("Erf", net.node("Div", y, math.sqrt(2))), 1.0)
    y = net.node("Mul", net.node("Mul", y, gelu), 0.5)
    y = net.node("Add", net.node("MatMul", y, net.normal(32, 8, scale=0.2)), net.normal(8))
    y = net.node("Mul", net.node("Transpose", y, perm=[0, 3, 1, 2]), net.draw(8, 1, 1))
    x = net.features = net.node("Add", y, x)
    x = net.node("Transpose", net.node("GlobalAveragePool", x), perm=[0, 2, 3, 1])
    x = net.node("Transpose", _layer_norm(net, x, 8), perm=[0, 3, 1, 2])
    net.x = net.dense(net.node("Flatten", x, axis=1), 8, 7)
    return net


def _layer_norm(net: OnnxNet, x: str, channels: int) -> str:
    away = net.node("Sub", x, net.node("ReduceMean", x, axes=[-1]))
    variance = net.node("ReduceMean", net.node("Pow", away, 2.0), axes=[-1])
    x = net.node("Div", away, net.node("Sqrt", net.node("Add", variance, 1e-6)))
    return net.node("Add", net.node("Mul", x, net.draw(channels)), net.normal(channels))


@network
def regnet() -> OnnxNet:
    net = _net()
    x = _conv_bn_act(net, "image", 3, 8, 3, strides=[2, 2])
    y = _conv_bn_act(net, x, 8, 16, 1)
    y = _squeeze_excite(net, _conv_bn_act(net, y, 16, 16, 3, group=4, strides=[2, 2]), 16, "Relu")
    y = _conv_bn_act(net, y, 16, 16, 1, act="")
    x = net.node("Relu", net.node("Add", _conv_bn_act(net, x, 8, 16, 1, act="", strides=[2, 2]), y))
    return _classifier(net, x, 16)


@network
def squeezenet() -> OnnxNet:
    """It classifies with a convolution and pools afterwards."""
    net = _net()
    x = net.node("Relu", net.conv("image", 3, 8, 3, strides=[2, 2], pads=[0] * 4))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    x = net.node("Relu", net.conv(x, 8, 4, 1))
    x = net.node("Concat", net.node("Relu", net.conv(x, 4, 6, 1)), net.node("Relu", net.conv(x, 4, 6, 3)), axis=1)
    x = net.features = net.node("Relu", net.conv(x, 12, 7, 1))
    net.x = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    return net


@network
def vgg() -> OnnxNet:
    net = _net()
    x = net.node("Relu", net.conv("image", 3, 8, 3))
    x = net.features = net.node("MaxPool", x, kernel_shape=[6, 6], strides=[6, 6])
    net.x = net.dense(net.node("Relu", net.dense(net.node("Flatten", x, axis=1), 8 * 36, 16)), 16, 7)
    return net


@network
def keras() -> OnnxNet:
    """tf2onnx's: an image with its channels last, scaling inside, TensorFlow's SAME, a product over the pooled map."""
    net = OnnxNet((None, SIDE, SIDE, 3), opset=15, seed=SEED)
    x = net.node("Mul", net.node("Sub", "image", np.float32([0.4, -0.1, 0.2])), np.float32([[[[1.5, 1.7, 1.1]]]]))
    x = net.node("Transpose", x, perm=[0, 3, 1, 2])
    x = net.node("Pad", x, np.array([0, 0, 0, 0, 0, 0, 1, 1]))
    x = net.node("Conv", x, net.normal(8, 3, 3, 3, scale=0.3), strides=[2, 2])
    x = net.node("Relu", net.node("Add", net.node("Mul", x, net.draw(1, 8, 1, 1)), net.normal(1, 8, 1, 1)))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    x = net.node("Conv", x, net.normal(8, 1, 5, 5, scale=0.2), strides=[2, 2], auto_pad="SAME_UPPER", group=8)
    x = net.features = net.node("Transpose", net.node("LeakyRelu", x, alpha=0.3), perm=[0, 2, 3, 1])
    x = net.node("ReduceMean", x, axes=[1, 2], keepdims=0)
    net.x = net.node("Softmax", net.node("Add", net.node("MatMul", x, net.normal(8, 7)), net.normal(7)), axis=1)
    return net
