# SPDX-License-Identifier: Apache-2.0
"""ONNX operators along the channels, each alone, against ONNX Runtime."""

import numpy as np
import pytest

from support.onnx_checks import AS_IT_IS, check, start


def test_batch_normalization(tmp_path):
    net, x = start()
    assert check(tmp_path, net, net.batch_norm(x, 8)) == ["conv2d", "batch_norm"]
    net, x = start()
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    assert check(tmp_path, net, net.batch_norm(x, 8, epsilon=0.5))[-1] == "batch_norm"


@pytest.mark.parametrize("bias", [False, True])
def test_layer_normalization(tmp_path, bias):
    net, x = start()
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    parts = [net.draw(8)] + ([net.normal(8)] if bias else [])
    x = net.node("LayerNormalization", x, *parts, axis=-1, epsilon=1e-2)
    x = net.node("Transpose", x, perm=[0, 3, 1, 2])
    assert check(tmp_path, net, x) == ["conv2d", "layer_norm"]


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_and_dense(tmp_path, opset):
    net, x = start(opset)
    x = net.dense(net.node("Flatten", net.node("GlobalMaxPool", x)), 8, 12)
    ops = check(tmp_path, net, net.node("Softmax", net.node("Mul", x, 3.0)))
    assert ops == ["conv2d", "global_pool", "conv2d", "affine", "softmax"]
    if opset >= 13:
        net, x = start(opset)
        check(tmp_path, net, net.node("Softmax", x, axis=1))


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
@pytest.mark.parametrize("flatten", ["Flatten", "Reshape", "Reshape 0"])
def test_dense_over_a_flattened_map(tmp_path, order, flatten):
    """The matrix follows the order in which the map was flattened."""
    net, x = start()
    x = net.node("Transpose", x, perm=[0, 2, 3, 1]) if order == "NHWC" else x
    shape = {"Reshape": [-1, 8 * 130], "Reshape 0": [0, -1]}
    x = net.node("Reshape", x, np.array(shape[flatten])) if flatten in shape else net.node("Flatten", x, axis=1)
    x = net.node("MatMul", x, net.normal(8 * 130, 5, scale=0.03))
    assert check(tmp_path, net, x) == ["conv2d", "conv2d"]


@pytest.mark.parametrize("gemm", [{"transB": 1}, {"alpha": 0.5, "beta": 2.0}])
def test_gemm(tmp_path, gemm):
    net, x = start()
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    matrix = net.normal(6, 8) if gemm.get("transB") else net.normal(8, 6)
    check(tmp_path, net, net.node("Gemm", x, matrix, net.normal(1, 6), **gemm))


def test_dense_on_every_pixel(tmp_path):
    net, x = start()
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    y = net.node("MatMul", x, net.normal(8, 5))
    check(tmp_path, net, y, lies=AS_IT_IS)
    rows = net.node("MatMul", net.node("Reshape", x, np.array([-1, 8])), net.normal(8, 5))
    parts = [net.node("Slice", net.node("Shape", x), np.array([0]), np.array([3])), np.array([5])]
    y = net.node("Reshape", rows, net.node("Concat", *parts, axis=0))
    assert check(tmp_path, net, y, lies=AS_IT_IS) == ["conv2d", "conv2d"]


def test_concat(tmp_path):
    net, x = start()
    x = net.node("Concat", x, net.conv(x, 8, 5), net.conv(x, 8, 4, 1), axis=-3)
    assert check(tmp_path, net, net.conv(x, 17, 4))[-2:] == ["concat", "conv2d"]
