# SPDX-License-Identifier: Apache-2.0
"""ONNX files as such: where weights may lie and of which type, and what is refused before anything is allocated."""

import math
import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pomona.models import ModelError, container
from pomona.models.onnx_convert import from_onnx
from pomona.models.onnx_files import OPSETS
from support.onnx_networks import NETWORKS
from support.onnx_writer import OnnxNet


@pytest.fixture
def net():
    net = OnnxNet()
    net.x = net.conv("image", 3, 4)
    return net


def tensors(path, **options):
    return container.read(from_onnx(path, "tf", include_top=True, **options).data)[1]


def refused(path, words, **options):
    with pytest.raises(ModelError, match=words) as caught:
        from_onnx(path, "tf", include_top=True, **options)
    assert path.name in str(caught.value)


def damaged(net, path, change):
    model = net.model(net.x)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_of_any_float_become_float(net, tmp_path, dtype):
    expected = numpy_helper.to_array(net.initializers[0]).astype(dtype)
    net.initializers = [
        numpy_helper.from_array(numpy_helper.to_array(t).astype(dtype), t.name) for t in net.initializers
    ]
    found = tensors(net.save(tmp_path / "net.onnx", net.x))["Conv_0/kernel"]
    np.testing.assert_array_equal(found, expected.transpose(2, 3, 1, 0).astype(np.float32))


def test_weights_as_a_list_of_floats(net, tmp_path):
    array = numpy_helper.to_array(net.initializers[1])
    net.initializers[1] = helper.make_tensor("w1", TensorProto.FLOAT, array.shape, array.tolist())
    np.testing.assert_array_equal(tensors(net.save(tmp_path / "net.onnx", net.x))["Conv_0/bias"], array)


def test_external_data(net, tmp_path):
    plain = tensors(net.save(tmp_path / "plain.onnx", net.x))
    path = tmp_path / "net.onnx"
    onnx.save(net.model(net.x), str(path), save_as_external_data=True, location="net.data", size_threshold=0)
    assert (tmp_path / "net.data").stat().st_size >= 4 * 4 * 27
    found = tensors(path)
    assert found.keys() == plain.keys()
    assert all(np.array_equal(found[name], plain[name]) for name in plain)


def external(location, **entries):
    """Moves the kernel of the net to a file."""

    def change(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=str(value))

    return change


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "", "deep/../../secret", "link"])
def test_external_data_outside_the_folder_is_refused(net, tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(4 * 108))
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    refused(damaged(net, folder / "net.onnx", external(location)), "tensor w0: .* outside the model's folder: refused")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"location": "missing"}, "missing: bring it along"),
        ({"location": "."}, "outside the model's folder"),
        ({"location": "data", "offset": 8}, "do not hold it"),
        ({"location": "data", "offset": -4}, "do not hold it"),
        ({"location": "data", "length": 4}, "do not hold it"),
        ({"location": "data", "offset": "many"}, "bad offset"),
        ({"location": "data", "offset": 1 << 62}, "do not hold it"),
    ],
)
def test_external_data_must_fit(net, tmp_path, entries, words):
    (tmp_path / "data").write_bytes(bytes(4 * 108))
    refused(damaged(net, tmp_path / "net.onnx", external(**entries)), f"tensor w0: .*{words}")


def test_a_small_file_that_claims_terabytes_is_refused_before_they_are_allocated(net, tmp_path):
    def claim(model):
        model.graph.initializer[0].dims[:] = [1 << 20, 1 << 20, 3, 3]

    def claim_outside(model):
        external("data", length=4 * 9 << 40)(model)
        claim(model)

    (tmp_path / "data").write_bytes(bytes(64))
    fill = helper.make_node("ConstantOfShape", ["shape"], ["huge"], name="fill")
    grow = helper.make_node("Expand", ["w1", "shape"], ["huge"], name="grow")
    outer = helper.make_node("Mul", ["row", "column"], ["huge"], name="outer")

    def prepend(node):
        def change(model):
            line = np.zeros(1 << 12, np.float32)
            for name, array in (("shape", np.array([1 << 40])), ("row", line[None]), ("column", line[:, None])):
                model.graph.initializer.append(numpy_helper.from_array(array, name))
            nodes = [node, *model.graph.node, helper.make_node("Add", [net.x, "huge"], ["sum"], name="sum")]
            del model.graph.node[:]
            model.graph.node.extend(nodes)
            model.graph.output[0].name = "sum"

        return change

    tracemalloc.start()
    refused(damaged(net, tmp_path / "a.onnx", claim), "tensor w0: .* bytes do not hold")
    refused(damaged(net, tmp_path / "b.onnx", claim_outside), "tensor w0: .* do not hold it")
    refused(damaged(net, tmp_path / "c.onnx", prepend(fill)), r"node fill \(ConstantOfShape\): would make more than")
    refused(damaged(net, tmp_path / "d.onnx", prepend(grow)), r"node grow \(Expand\)")
    refused(damaged(net, tmp_path / "e.onnx", prepend(outer)), r"node outer \(Mul\): would make more than 65536")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_channels_that_grow_without_end_are_refused(tmp_path):
    net = OnnxNet()
    x = "image"
    for _ in range(40):
        x = net.node("Concat", x, x, axis=1)
    refused(net.save(tmp_path / "net.onnx", net.node("Mul", x, np.float32(2))), "a map of 8 x 8 x .* too large")


def second_input(model, used):
    model.graph.input.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, [1]))
    if used:
        model.graph.node.append(helper.make_node("Neg", ["b"], ["c"]))


def test_an_input_that_nothing_reads_is_no_matter(net, tmp_path):
    path = damaged(net, tmp_path / "net.onnx", lambda model: second_input(model, used=False))
    assert len(tensors(path)) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda model: model.graph.node.append(helper.make_node("Relu", ["nothing"], ["c"], name="act")),
            r"node act \(Relu\): its input 'nothing' is no earlier output",
        ),
        (lambda model: model.graph.node.append(model.graph.node[0]), "exists already|taken"),
        (lambda model: model.graph.initializer[0].dims.__setitem__(0, -4), "tensor w0: the shape"),
        (lambda model: model.graph.initializer[0].dims.extend([1] * 8), "tensor w0: the shape"),
        (
            lambda model: model.graph.initializer[0].__setattr__("raw_data", b"1234567"),
            "tensor w0: 7 bytes do not hold",
        ),
        (lambda model: model.graph.initializer[0].ClearField("raw_data"), "tensor w0: its numbers do not fill"),
        (lambda model: model.graph.initializer[0].__setattr__("data_type", TensorProto.INT8), "w0: the type INT8"),
        (lambda model: model.graph.initializer[0].__setattr__("data_type", 99), "w0: the type unknown"),
        (lambda model: second_input(model, used=True), "2 inputs \\(image, b\\)"),
        (lambda model: model.graph.input[0].type.tensor_type.shape.dim[1].__setattr__("dim_value", 4), "RGB images"),
        (lambda model: model.graph.input[0].type.tensor_type.shape.dim[2].__setattr__("dim_value", -8), "negative"),
        (lambda model: model.graph.input[0].type.tensor_type.shape.dim.pop(), "n?. x 3 x 8 is no batch|no batch"),
        (lambda model: model.functions.add(name="Block", domain="mine"), "functions of its own \\(Block\\)"),
        (
            lambda model: model.graph.node[0].__setattr__("domain", "com.microsoft"),
            "operator com.microsoft.Conv is not",
        ),
        (lambda model: model.graph.node[0].__setattr__("op_type", "QLinearConv"), r"Conv_0 \(QLinearConv\): int8"),
        (lambda model: model.graph.node[0].__setattr__("op_type", "DequantizeLinear"), "int8 models"),
    ],
)
def test_damaged_models_are_refused_by_name(net, tmp_path, change, words):
    refused(damaged(net, tmp_path / "net.onnx", change), words)


def test_numbers_that_are_not_finite_are_refused(net, tmp_path):
    array = numpy_helper.to_array(net.initializers[1]).copy()
    array[2] = math.nan
    net.initializers[1] = numpy_helper.from_array(array, "w1")
    refused(net.save(tmp_path / "net.onnx", net.x), "tensor Conv_0/bias: holds numbers that are not finite")


@pytest.mark.parametrize("opset", [10, 24])
def test_other_opsets_are_refused(net, tmp_path, opset):
    net.opset = opset
    refused(net.save(tmp_path / "net.onnx", net.x), f"opset {opset} is not supported; export with one from 11 to 23")


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_is_read(tmp_path, opset):
    net = OnnxNet(opset=opset)
    x = net.node("Clip", net.conv("image", 3, 4), np.float32(0), np.float32(6))
    assert len(tensors(net.save(tmp_path / "net.onnx", x))) == 2


def test_bytes_that_are_no_onnx(net, tmp_path):
    path = tmp_path / "net.onnx"
    for content in (b"", b"not ONNX", bytes(1000), net.model(net.x).SerializeToString()[:-50]):
        path.write_bytes(content)
        refused(path, "not an ONNX file|opset|inputs")


def test_a_file_that_lost_its_end_anywhere_is_refused_or_says_the_same(tmp_path):
    net = OnnxNet()
    content = net.model(net.conv("image", 3, 2, 1)).SerializeToString()
    path = tmp_path / "net.onnx"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError):
            from_onnx(path, "tf", include_top=True)


def test_bytes_changed_at_random_never_raise_anything_else(tmp_path):
    """A changed byte may still give a model; then its file is whole."""
    net = NETWORKS["convnext"]()
    content = net.model(net.x).SerializeToString()
    path, random = tmp_path / "net.onnx", np.random.RandomState(0)
    structure = [at for at in range(len(content)) if content[at : at + 1].isascii()]
    refusals = 0
    for _ in range(300):
        changed = bytearray(content)
        for at in random.choice(structure, 3):
            changed[at] = random.randint(256)
        path.write_bytes(changed)
        try:
            container.read(from_onnx(path, "tf", include_top=True).data)
        except ModelError:
            refusals += 1
    assert refusals > 30


def test_names_are_made_where_the_file_has_none(net, tmp_path):
    for node in net.nodes:
        node.ClearField("name")
    net.nodes[0].output[0] = "input"  # the name of the image in our graphs
    path = tmp_path / "net.onnx"
    net.nodes.append(helper.make_node("Relu", ["input"], ["same"], name="same"))
    net.nodes.append(helper.make_node("Sigmoid", ["same"], ["other"], name="same"))
    graph, _ = container.read(from_onnx(net.save(path, "other"), "tf", include_top=True).data)
    assert [node["name"] for node in graph["nodes"]] == ["input_1", "same", "other"]


def test_without_the_package_the_cure_is_named(net, tmp_path, monkeypatch):
    path = net.save(tmp_path / "net.onnx", net.x)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ModelError, match=r"pip install 'pomona\[convert\]'"):
        from_onnx(path, "tf")
