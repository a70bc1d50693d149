# SPDX-License-Identifier: Apache-2.0
"""Activations and arithmetic from ONNX, each alone, and the formulas that exporters make of them."""

import math

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pomona.models import ModelError, container
from pomona.models.onnx_convert import from_onnx
from support.onnx_checks import AS_IT_IS, NHWC, SIDES, check, last, start
from support.onnx_writer import OnnxNet


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
        with pytest.raises(ModelError, match=r"node Div_1 \(Div\) is supported as part of GELU"):
            from_onnx(net.save(tmp_path / "net.onnx", net.node(op, *operands[::-1])), "tf", include_top=True)
        return
    assert check(tmp_path, net, net.node(op, *operands[:: -1 if first else 1])) == ["conv2d", "affine"]


def test_a_constant_over_the_channels_last(tmp_path):
    net, x = start()
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    assert check(tmp_path, net, net.node("Mul", x, net.draw(8)), lies=AS_IT_IS) == ["conv2d", "affine"]


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
    assert check(tmp_path, net, x, lies=NHWC if axis == 1 else AS_IT_IS) == ["conv2d", "layer_norm"]
    data = from_onnx(tmp_path / "net.onnx", "tf", include_top=True).data
    node, tensors = container.read(data)[0]["nodes"][1], container.read(data)[1]
    assert node["attributes"]["epsilon"] == np.float32(1e-3)
    np.testing.assert_allclose(tensors[node["weights"]["gamma"]], gamma.ravel(), rtol=1e-6)
    np.testing.assert_allclose(tensors[node["weights"]["beta"]], beta.ravel(), rtol=1e-6, atol=1e-7)


def test_a_normalization_without_the_mean_is_refused(tmp_path):
    net, x = start(opset=13)
    square = net.node("ReduceMean", net.node("Pow", net.node("Sub", x, 1.0), 2.0), axes=[1])
    x = net.node("Div", net.node("Sub", x, 1.0), net.node("Sqrt", net.node("Add", square, 1e-3)))
    with pytest.raises(ModelError, match=r"node Pow_2 \(Pow\) is supported as part of GELU, swish and Layer"):
        from_onnx(net.save(tmp_path / "net.onnx", x), "tf", include_top=True)
