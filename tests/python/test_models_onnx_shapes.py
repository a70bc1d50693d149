# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that move, drop or name elements, each alone; and what is refused, by name."""

import numpy as np
import pytest

from pomona.models import ModelError, onnx_step
from pomona.models.onnx_convert import from_onnx
from support.material import TOP
from support.onnx_checks import SIDES, check, start
from support.onnx_writer import OnnxNet


@pytest.mark.parametrize("opset", [11, 18])
def test_pad_and_crop(tmp_path, opset):
    net, x = start(opset)
    x = net.node("Pad", x, np.array([0, 0, 1, 2, 0, 0, 3, 0]), np.float32(0))
    if opset == 18:
        x = net.node("Pad", x, np.array([1, 2]), "", np.array([-1]))
    x = net.node("Slice", x, np.array([1, 0]), np.array([9999, -2]), np.array([2, 3]))
    assert check(tmp_path, net, x)[-1] == "crop"


def test_channels_by_slice_and_gather(tmp_path):
    """torchvision's InceptionV3 scales each colour by itself."""
    net = OnnxNet(("n", 3, *SIDES))
    parts = []
    for channel in range(3):
        x = net.node("Unsqueeze", net.node("Gather", "image", np.array(channel), axis=1), np.array([1]))
        parts.append(net.node("Add", net.node("Mul", x, net.draw(1)), net.normal(1)))
    x = net.conv(net.node("Concat", *parts, axis=1), 3, 8)
    check(tmp_path, net, net.node("Slice", x, np.array([-1]), np.array([-99]), np.array([1]), np.array([-2])))


@pytest.mark.parametrize("opset", [11, 13])
def test_shapes_that_only_name_the_axes(tmp_path, opset):
    net, x = start(opset)
    x = net.node("Dropout", net.node("Cast", net.node("GlobalAveragePool", x), to=1))
    axes = ([np.array([2, 3])], {}) if opset >= 13 else ([], {"axes": [2, 3]})
    x = net.node("Squeeze", x, *axes[0], **axes[1])
    x = net.node("Unsqueeze", x, *axes[0], **axes[1])
    x = net.node("Expand", net.conv(x, 8, 6, 1), np.array([1, 1, 1]))
    x = net.node("Identity", net.node("Reshape", x, np.array([-1, 6, 1])))
    assert check(tmp_path, net, net.node("Squeeze", net.node("Relu", x))) == [
        "conv2d",
        "global_pool",
        "conv2d",
        "activation",
    ]


def test_a_view_as_gather(tmp_path):
    net, x = start()
    x = net.node("Reshape", net.node("GlobalAveragePool", x), np.array([-1]))
    net.shape = (1, 3, *SIDES)
    x = net.node("Gather", x, np.arange(8).reshape(1, 8, 1, 1), axis=0)
    check(tmp_path, net, net.conv(x, 8, 4, 1))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda net, x: net.node("Softplus", x), r"node Softplus_1 \(Softplus\): operator Softplus is not supported"),
        (lambda net, x: net.node("Resize", x, "", np.ones(4)), r"operator Resize is not supported \(supported: Add, "),
        (lambda net, x: net.node("Conv", x, x), r"input 1 \(Conv_0_out\) that is no constant"),
        (lambda net, x: net.node("Conv", x, net.normal(4, 7, 3, 3)), "1 groups of 7 channels do not fit 8"),
        (lambda net, x: net.node("Conv", x, net.normal(4, 8, 3)), "a kernel of 3 dimensions"),
        (lambda net, x: net.node("Conv", x, net.normal(4, 8, 3, 3), strides=[0, 1]), r"strides \[0, 1\]"),
        (lambda net, x: net.node("Conv", x, net.normal(4, 8, 3, 3), pads=[-1, 0, 0, 0]), r"pads \[-1"),
        (lambda net, x: net.node("Conv", x, net.normal(4, 8, 20, 3)), "larger than its padded input"),
        (lambda net, x: net.node("MaxPool", x, kernel_shape=[2, 2], dilations=[2, 2]), "dilations"),
        (lambda net, x: net.node("Pad", x, np.array([0, 1, 0, 0, 0, 0, 0, 0])), "pads along axis 1"),
        (lambda net, x: net.node("Pad", x, np.array([0, 0, 1, 0, 0, 0, 0, 0]), mode="reflect"), "mode reflect"),
        (lambda net, x: net.node("Pad", x, np.array([0, 0, 1, 0, 0, 0, 0, 0]), np.float32(1)), "other than zero"),
        (lambda net, x: net.node("Concat", x, x, axis=2), "other axes than the channels"),
        (lambda net, x: net.node("Softmax", x, axis=2), "not along the channels"),
        (lambda net, x: net.node("Add", x, net.normal(13, 10)), "differs from pixel to pixel"),
        (lambda net, x: net.node("ReduceMean", x, axes=[2]), r"over the axes \[2\]"),
        (lambda net, x: net.node("Reshape", x, np.array([-1, 2, 4, 13, 10])), "cuts through an axis"),
        (lambda net, x: net.node("Reshape", x, np.array([-1, 7])), "does not fit"),
        (lambda net, x: net.node("Cast", x, to=7), "whole numbers"),
        (lambda net, x: net.node("Dropout", x, 0.5, np.array(True)), "training_mode"),
        (lambda net, x: net.conv(net.node("Transpose", x, perm=[0, 2, 3, 1]), 8, 4), "N x H x W x C"),
        (lambda net, x: net.node("Mul", x, net.conv(x, 8, 1)), "x"),
        (lambda net, x: net.node("MatMul", net.normal(10, 10), x), "constant"),
    ],
)
def test_what_is_refused_is_named(tmp_path, build, words):
    net, x = start()
    path = net.save(tmp_path / "net.onnx", net.node("Relu", build(net, x)))
    with pytest.raises(ModelError, match=words) as caught:
        from_onnx(path, "tf", include_top=True)
    assert "net.onnx: node " in str(caught.value)


def test_the_documents_table_lists_every_operator():
    text = (TOP / "docs/onnx.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = {name.strip(" `") for row in rows for name in row.split(",")}
    assert documented == set(onnx_step.OPERATORS)
