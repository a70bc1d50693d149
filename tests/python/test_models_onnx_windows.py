# SPDX-License-Identifier: Apache-2.0
"""Convolution and pooling from ONNX, each alone, against ONNX Runtime."""

import numpy as np
import pytest

from support.onnx_checks import check, start


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [0, 0, 0, 0]},
        {"pads": [0, 1, 2, 3]},
        {"strides": [2, 3]},
        {"dilations": [2, 1], "pads": [1, 2, 0, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2], "pads": None},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2], "pads": None},
        {"auto_pad": "SAME_LOWER", "strides": [3, 1], "pads": None},
        {"auto_pad": "VALID", "strides": [2, 2], "pads": None},
        {"group": 2},
        {"group": 4, "strides": [2, 2]},
        {"group": 8},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_conv(tmp_path, attributes, size, bias):
    net, x = start()
    group = attributes.get("group", 1)
    weights = [net.normal(16, 8 // group, size, size + 1)] + ([net.normal(16)] if bias else [])
    attributes = {key: value for key, value in attributes.items() if value}
    ops = check(tmp_path, net, net.node("Conv", x, *weights, **attributes))
    assert ops[-1] == ("depthwise_conv2d" if group == 8 else "conv2d")


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [3, 3], "strides": [2, 2]},
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [2, 3], "strides": [3, 2], "pads": [1, 0, 0, 1]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [1, 1], "strides": [2, 2]},
        {"kernel_shape": [3, 3]},
        {"kernel_shape": [13, 10]},
    ],
    ids=str,
)
def test_pooling(tmp_path, op, ceil, attributes):
    net, x = start(opset=19)
    ops = check(tmp_path, net, net.node(op, x, ceil_mode=ceil, **attributes))
    assert ops[-1] != "zero_pad"


def test_zeros_in_front_of_max_pooling_count(tmp_path):
    net, x = start()
    x = net.node("Pad", net.node("Sub", x, np.float32(9)), np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    assert check(tmp_path, net, net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2]))[-2:] == [
        "zero_pad",
        "max_pool",
    ]


@pytest.mark.parametrize("kind", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("include", [0, 1])
def test_average_pooling_counts_padding_as_asked(tmp_path, kind, include):
    net, x = start()
    x = net.node("AveragePool", x, kernel_shape=[3, 2], strides=[2, 1], auto_pad=kind, count_include_pad=include)
    check(tmp_path, net, x)
    net, x = start()
    x = net.node("AveragePool", x, kernel_shape=[3, 3], strides=[2, 1], pads=[1] * 4, count_include_pad=include)
    check(tmp_path, net, x)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pooling(tmp_path, op):
    net, x = start()
    assert check(tmp_path, net, net.node(op, x))[-1] == "global_pool"


@pytest.mark.parametrize("opset", [11, 13, 18, 23])
@pytest.mark.parametrize("op", ["ReduceMean", "ReduceMax"])
@pytest.mark.parametrize(("axes", "keep"), [([2, 3], 1), ([-1, -2], 0)])
def test_reduction_over_pixels_is_pooling(tmp_path, opset, op, axes, keep):
    net, x = start(opset)
    inputs, attributes = ([], {"axes": axes}) if opset < 18 else ([np.array(axes)], {})
    x = net.node(op, x, *inputs, keepdims=keep, **attributes)
    assert check(tmp_path, net, x)[-1] == "global_pool"
