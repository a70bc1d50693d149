# SPDX-License-Identifier: Apache-2.0
"""Each ONNX operator alone: the converted graph in float64 against ONNX Runtime."""

import math

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pomona.models import ModelError, container, onnx_step
from pomona.models.onnx_convert import from_onnx
from support import reference
from support.material import TOP
from support.onnx_writer import OnnxNet, onnx_runtime, pixels

SIDES = (13, 10)
NCHW, NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def check(tmp_path, net, output, lies=NHWC):
    """Equal to ONNX Runtime within fp32; `lies` brings its output into our order. Returns the operators."""
    path = net.save(tmp_path / "net.onnx", output)
    rgb = pixels(*SIDES, count=2)
    data = from_onnx(path, "tf", include_top=True).data
    expected = onnx_runtime(path, rgb)
    expected = expected.transpose(lies) if expected.ndim == 4 else expected
    ours = reference.run(data, rgb, "none").reshape(expected.shape)
    scale = np.sqrt(np.mean(expected**2))
    assert scale > 0.05 and expected.std() > 0.05 * scale  # the case could tell a difference
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-6 * max(1, np.abs(expected).max() / scale) * scale)
    return [node["op"] for node in container.read(data)[0]["nodes"]]


def start(opset=17, channels=8, **options):
    """A network whose first layer gives more than three channels."""
    net = OnnxNet(("n", 3, *SIDES), opset, **options)
    return net, net.conv("image", 3, channels, 3)


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


@pytest.mark.parametrize(
    ("kind", "op", "attributes"),
    [
        ("relu", "Relu", {}),
        ("leaky_relu", "LeakyRelu", {"alpha": 0.3}),
        ("leaky_relu", "LeakyRelu", {}),
        ("sigmoid", "Sigmoid", {}),
        ("tanh", "Tanh", {}),
        ("hard_sigmoid", "HardSigmoid", {}),
        ("hard_sigmoid", "HardSigmoid", {"alpha": 0.4, "beta": 0.3}),
        ("hard_swish", "HardSwish", {}),
        ("gelu", "Gelu", {}),
        ("gelu", "Gelu", {"approximate": "tanh"}),
    ],
)
def test_activations(tmp_path, kind, op, attributes):
    net, x = start(opset=20)
    check(tmp_path, net, net.node(op, x, **attributes))
    assert last(tmp_path)["kind"] == kind


def last(tmp_path):
    """Attributes of the last node."""
    return container.read(from_onnx(tmp_path / "net.onnx", "tf", include_top=True).data)[0]["nodes"][-1]["attributes"]


@pytest.mark.parametrize(
    ("limits", "kind"), [((0, 6), "relu6"), ((0, None), "relu"), ((-0.5, 0.7), "clip"), ((None, 0.4), "clip")]
)
def test_clip(tmp_path, limits, kind):
    net, x = start()
    inputs = ["" if limit is None else np.float32(limit) for limit in limits]
    check(tmp_path, net, net.node("Clip", net.node("Mul", x, np.float32(4)), *inputs))
    assert last(tmp_path)["kind"] == kind


def test_min_and_max_with_a_scalar(tmp_path):
    net, x = start()
    x = net.node("Min", net.node("Max", np.zeros(()), net.node("Mul", x, np.float32(6))), np.float32(6))
    assert check(tmp_path, net, x)[-2:] == ["activation", "activation"]


ERF = {
    "torch": lambda net, x: net.node("Mul", net.node("Mul", x, erf(net, net.node("Div", x, math.sqrt(2)))), 0.5),
    "half first": lambda net, x: net.node("Mul", net.node("Mul", 0.5, x), erf(net, net.node("Mul", x, 0.5**0.5))),
    "half inside": lambda net, x: net.node("Mul", x, net.node("Mul", 0.5, erf(net, net.node("Div", x, 2**0.5)))),
    "over two": lambda net, x: net.node("Div", net.node("Mul", erf(net, net.node("Div", x, 2**0.5)), x), 2.0),
}


def erf(net, x):
    return net.node("Add", net.node("Erf", x), 1.0)


@pytest.mark.parametrize("spelling", ERF)
def test_gelu_spelled_out(tmp_path, spelling):
    net, x = start()
    assert check(tmp_path, net, ERF[spelling](net, x)) == ["conv2d", "activation"]
    assert last(tmp_path) == {"kind": "gelu"}


def test_gelu_with_constants_of_half_precision(tmp_path):
    net, x = start()
    path = net.save(tmp_path / "net.onnx", ERF["torch"](net, x))
    model = onnx.load(str(path))
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    onnx.save(model, str(path))
    assert last(tmp_path) == {"kind": "gelu"}


def test_gelu_by_tanh_spelled_out(tmp_path):
    net, x = start()
    cube = net.node("Mul", net.node("Pow", x, 3.0), 0.044715)
    inner = net.node("Mul", net.node("Add", x, cube), math.sqrt(2 / math.pi))
    half = net.node("Mul", net.node("Add", net.node("Tanh", inner), 1.0), 0.5)
    assert check(tmp_path, net, net.node("Mul", x, half)) == ["conv2d", "activation"]
    assert last(tmp_path) == {"kind": "gelu", "approximate": True}


def test_swish_and_its_hard_forms_spelled_out(tmp_path):
    net, x = start()
    x = net.node("Mul", net.node("Sigmoid", x), x)
    x = net.node("Mul", x, net.node("HardSigmoid", x, alpha=1 / 6, beta=0.5))
    x = net.node("Div", net.node("Mul", x, net.node("Clip", net.node("Add", x, 3.0), 0.0, 6.0)), 6.0)
    x = net.node("Mul", net.node("Clip", net.node("Add", x, 3.0), 0.0, 6.0), 1 / 6)
    assert check(tmp_path, net, x) == ["conv2d"] + ["activation"] * 4
    nodes = container.read(from_onnx(tmp_path / "net.onnx", "tf", include_top=True).data)[0]["nodes"][1:]
    kinds = [node["attributes"]["kind"] for node in nodes]
    assert kinds == ["swish", "hard_swish", "hard_swish", "hard_sigmoid"]


def test_what_only_looks_like_gelu_is_refused(tmp_path):
    net, x = start()
    x = net.node("Mul", net.node("Mul", x, erf(net, net.node("Div", x, 1.5))), 0.5)
    path = net.save(tmp_path / "net.onnx", net.node("Relu", x))
    with pytest.raises(ModelError, match=r"node Erf_2 \(Erf\) is supported as part of GELU"):
        from_onnx(path, "tf", include_top=True)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("shape", [(), (1,), (8, 1, 1), (1, 8, 1, 1)], ids=str)
@pytest.mark.parametrize("first", [False, True])
def test_arithmetic_with_constants_becomes_affine(tmp_path, op, shape, first):
    net, x = start()
    operands = [x, net.draw(*shape)]
    if first and op == "Div":
        return
    assert check(tmp_path, net, net.node(op, *operands[:: -1 if first else 1])) == ["conv2d", "affine"]


def test_a_constant_over_the_channels_last(tmp_path):
    net, x = start()
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    assert check(tmp_path, net, net.node("Mul", x, net.draw(8)), lies=(0, 1, 2, 3)) == ["conv2d", "affine"]


def test_scaling_the_image_joins_the_preprocessing(tmp_path):
    net = OnnxNet(("n", 3, *SIDES))
    x = net.node("Div", net.node("Sub", "image", net.draw(1, 3, 1, 1)), net.draw(3, 1, 1))
    assert check(tmp_path, net, net.conv(x, 3, 8)) == ["conv2d"]


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("gate_first", [False, True])
def test_arithmetic_between_maps(tmp_path, op, gate_first):
    net, x = start()
    y = net.conv(x, 8, 8)
    check(tmp_path, net, net.node(op, x, y))
    gate = net.node("Sigmoid", net.conv(net.node("GlobalAveragePool", y), 8, 8, 1))
    check(tmp_path, net, net.node(op, *([gate, x] if gate_first else [x, gate])))


def test_sum(tmp_path):
    net, x = start()
    assert check(tmp_path, net, net.node("Sum", x, net.conv(x, 8, 8), net.conv(x, 8, 8, 1)))[-2:] == ["add", "add"]


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


@pytest.mark.parametrize("spelling", ["torch", "product", "tensorflow"])
@pytest.mark.parametrize("axis", [1, 3])
def test_layer_normalization_spelled_out(tmp_path, spelling, axis):
    net, x = start(opset=13)
    x = net.node("Transpose", x, perm=[0, 2, 3, 1]) if axis == 3 else x
    sides = (8,) if axis == 3 else (1, 8, 1, 1)
    gamma, beta = net.draw(*sides), net.normal(*sides)
    mean = net.node("ReduceMean", x, axes=[axis], keepdims=1)
    away = net.node("Sub", x, mean)
    square = net.node("Mul", away, away) if spelling == "product" else net.node("Pow", away, 2.0)
    variance = net.node("ReduceMean", square, axes=[axis - 4], keepdims=1)
    deviation = net.node("Sqrt", net.node("Add", variance, 1e-3))
    if spelling == "tensorflow":
        scale = net.node("Mul", net.node("Reciprocal", deviation), gamma)
        shift = net.node("Add", net.node("Mul", net.node("Neg", mean), scale), beta)
        x = net.node("Add", net.node("Mul", x, scale), shift)
    else:
        x = net.node("Add", net.node("Mul", net.node("Div", away, deviation), gamma), beta)
    assert check(tmp_path, net, x, lies=NHWC if axis == 1 else (0, 1, 2, 3)) == ["conv2d", "layer_norm"]
    data = from_onnx(tmp_path / "net.onnx", "tf", include_top=True).data
    node, tensors = container.read(data)[0]["nodes"][1], container.read(data)[1]
    assert node["attributes"]["epsilon"] == np.float32(1e-3)
    np.testing.assert_allclose(tensors[node["weights"]["gamma"]], gamma.ravel(), rtol=1e-6)
    np.testing.assert_allclose(tensors[node["weights"]["beta"]], beta.ravel(), rtol=1e-6, atol=1e-7)


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
    check(tmp_path, net, y, lies=(0, 1, 2, 3))
    rows = net.node("MatMul", net.node("Reshape", x, np.array([-1, 8])), net.normal(8, 5))
    parts = [net.node("Slice", net.node("Shape", x), np.array([0]), np.array([3])), np.array([5])]
    y = net.node("Reshape", rows, net.node("Concat", *parts, axis=0))
    assert check(tmp_path, net, y, lies=(0, 1, 2, 3)) == ["conv2d", "conv2d"]


def test_concat(tmp_path):
    net, x = start()
    x = net.node("Concat", x, net.conv(x, 8, 5), net.conv(x, 8, 4, 1), axis=-3)
    assert check(tmp_path, net, net.conv(x, 17, 4))[-2:] == ["concat", "conv2d"]


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
