# SPDX-License-Identifier: Apache-2.0
"""Whole networks from ONNX: what is cut off, what is chosen, and numbers against ONNX Runtime and the engine."""

import numpy as np
import pytest
from PIL import Image

from pomona.__main__ import main
from pomona.models import ModelError, container
from pomona.models.onnx_convert import from_onnx
from pomona.models.preprocess import PREPROCESS
from support import reference
from support.built import features_by_cli
from support.onnx_networks import NETWORKS, SIDE
from support.onnx_writer import OnnxNet, onnx_runtime, pixels

each_network = pytest.mark.parametrize("name", NETWORKS)


def difference(ours, theirs):
    """max |difference| / rms"""
    return np.abs(ours - theirs).max() / np.sqrt(np.mean(theirs**2))


@each_network
def test_classifier_equals_onnx_runtime(name, tmp_path):
    net = NETWORKS[name]()
    path, rgb = net.save(tmp_path / "net.onnx", net.x), pixels(SIDE, SIDE, count=3)
    expected = onnx_runtime(path, rgb)
    assert expected.std(axis=0).mean() > 0.05 * np.sqrt(np.mean(expected**2))  # images are told apart
    data = from_onnx(path, "tf", include_top=True, classes=list("abcdefg")).data
    assert difference(reference.run(data, rgb, "none").reshape(expected.shape), expected) < 1e-5
    assert container.read(data)[0]["classes"] == list("abcdefg")


@each_network
def test_features_are_what_the_last_pooling_reads(name, tmp_path):
    net = NETWORKS[name]()
    path, rgb = net.save(tmp_path / "net.onnx", net.x), pixels(SIDE, SIDE)
    expected = onnx_runtime(path, rgb, tensor=net.features)
    expected = expected if name == "keras" else expected.transpose(0, 2, 3, 1)
    assert expected.shape[1] > 1
    found = from_onnx(path, "tf")
    assert difference(reference.run(found.data, rgb, "none"), expected) < 1e-5
    assert f"the tensor {net.features}; cut off behind it: " in found.features
    named = from_onnx(path, "tf", output=net.features).data
    assert container.read(named)[0]["nodes"] == container.read(found.data)[0]["nodes"]


@each_network
def test_engine_equals_onnx_runtime(name, tmp_path):
    net = NETWORKS[name]()
    path, rgb = net.save(tmp_path / "net.onnx", net.x), []
    images = [tmp_path / f"{index}.jpg" for index in range(3)]
    for image, seed in zip(images, pixels(SIDE, SIDE, count=3)):
        Image.fromarray(seed).save(image, "JPEG")
        rgb.append(np.asarray(Image.open(image).convert("RGB")))
    model = tmp_path / "net.safetensors"
    assert main(["models", "convert", "--onnx", str(path), "--preprocess", "tf", str(model)]) == 0
    ours = features_by_cli(model, images, tmp_path / "out.npy", "--pooling", "avg")
    exact = reference.run(model, np.stack(rgb), "avg")
    assert exact.std(axis=0).mean() > 0.1 * np.sqrt(np.mean(exact**2))
    theirs = onnx_runtime(path, np.stack(rgb), tensor=net.features)
    theirs = theirs.mean((1, 2) if name == "keras" else (2, 3))
    assert difference(ours, exact) <= max(1e-4, 4 * difference(theirs, exact))


def test_squeezenet_is_told_to_classify_first(tmp_path):
    net = NETWORKS["squeezenet"]()
    found = from_onnx(net.save(tmp_path / "net.onnx", net.x), "torch").features
    assert "none with weights: if the classifier comes before the pooling" in found


def test_what_is_cut_off_need_not_be_supported(tmp_path):
    net = NETWORKS["resnet"]()
    path = net.save(tmp_path / "net.onnx", net.node("TopK", net.x, np.array([3]), outputs=2))
    assert len(container.read(from_onnx(path, "torch").data)[0]["nodes"]) > 20
    with pytest.raises(ModelError, match=r"node TopK_\d+ \(TopK\): operator TopK is not supported"):
        from_onnx(path, "torch", include_top=True)


def test_the_gates_of_squeeze_and_excite_are_no_end(tmp_path):
    """Without a classifier the last pooling is a gate's, which the network also passes by."""
    net = NETWORKS["efficientnet"]()
    found = from_onnx(net.save(tmp_path / "net.onnx", net.features), "torch")
    assert "nothing was cut off" in found.features


def test_two_poolings_of_one_map(tmp_path):
    net = NETWORKS["resnet"]()
    both = [net.node(op, net.features) for op in ("GlobalAveragePool", "GlobalMaxPool")]
    path = net.save(tmp_path / "net.onnx", net.dense(net.node("Flatten", net.node("Concat", *both, axis=1)), 32, 7))
    assert f"the tensor {net.features}; cut" in from_onnx(path, "torch").features


def test_a_map_of_one_pixel_is_pooled_too(tmp_path):
    net = OnnxNet(("n", 3, 8, 8))
    x = net.conv("image", 3, 4, 8, pads=[0] * 4)
    path = net.save(tmp_path / "net.onnx", net.dense(net.node("Flatten", net.node("GlobalAveragePool", x)), 4, 2))
    assert (
        f"the tensor {x}; cut off behind it: 3 nodes (GlobalAveragePool, Flatten, Gemm)"
        in from_onnx(path, "tf").features
    )


@pytest.mark.parametrize("batch", [None, "n", 1, 4])
def test_batches_open_or_fixed(tmp_path, batch):
    net = NETWORKS["resnet"]()
    net.shape = (batch, 3, SIDE, SIDE)
    data = from_onnx(net.save(tmp_path / "net.onnx", net.x), "tf", include_top=True).data
    net.shape = (1, 3, SIDE, SIDE)
    expected = onnx_runtime(net.save(tmp_path / "one.onnx", net.x), pixels(SIDE, SIDE))
    assert difference(reference.run(data, pixels(SIDE, SIDE), "none").reshape(expected.shape), expected) < 1e-5


def test_open_sides_need_a_size(tmp_path):
    net = NETWORKS["resnet"]()
    net.shape = ("n", 3, "h", "w")
    path = net.save(tmp_path / "net.onnx", net.x)
    with pytest.raises(ModelError, match="takes images of any size; choose one with --input-size"):
        from_onnx(path, "tf")
    data = from_onnx(path, "tf", 50).data
    assert container.read(data)[0]["input"] == {"name": "input", "height": 50, "width": 50, "channels": 3}
    net.shape = ("n", 3, SIDE, SIDE)
    with pytest.raises(ModelError, match="was exported for 37x37, --input-size 50 cannot change that"):
        from_onnx(net.save(path, net.x), "tf", 50)


def test_shapes_that_the_graph_computes(tmp_path):
    """As timm pads like TensorFlow, and as older exporters flatten."""
    net = OnnxNet(("n", 3, "h", "w"))
    side = net.node("Gather", net.node("Shape", "image"), np.array(2), axis=0)
    steps = net.node("Ceil", net.node("Div", net.node("Cast", side, to=1), 2.0))
    need = net.node("Sub", net.node("Mul", net.node("Sub", steps, 1.0), 2.0), net.node("Cast", side, to=1))
    total = net.node("Cast", net.node("Clip", net.node("Add", need, 3.0), np.float32(0)), to=7)
    half = net.node("Div", total, np.array(2))
    ends = [net.node("Unsqueeze", part, np.array([0])) for part in (half, net.node("Sub", total, half))]
    none = np.zeros(2, np.int64)
    pads = net.node("Concat", none, ends[0], ends[0], none, ends[1], ends[1], axis=0)
    x = net.conv(net.node("Pad", "image", pads), 3, 8, 3, strides=[2, 2], pads=[0] * 4)
    batch = net.node("Unsqueeze", net.node("Gather", net.node("Shape", x), np.array(0)), np.array([0]))
    x = net.node("Reshape", x, net.node("Concat", batch, np.array([-1]), axis=0))
    path = net.save(tmp_path / "net.onnx", net.dense(x, 8 * 49, 5))
    rgb = pixels(14, 14)
    expected = onnx_runtime(path, rgb)
    data = from_onnx(path, "tf", 14, include_top=True).data
    assert difference(reference.run(data, rgb, "none").reshape(expected.shape), expected) < 1e-5
    assert container.read(data)[0]["nodes"][0]["attributes"] == {"padding": [0, 1, 0, 1]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preprocess": None}, "does not say how its input is scaled: give --preprocess tf|caffe|torch"),
        ({"output": "Relu_999"}, "--output Relu_999: no tensor or node has this name; near it: Relu_"),
        ({"classes": ["a"]}, "add --include-top"),
        ({"classes": ["a"], "include_top": True}, "1 class names for an output of 1 x 1 x 7"),
    ],
)
def test_wrong_options(tmp_path, options, words):
    net = NETWORKS["resnet"]()
    path = net.save(tmp_path / "net.onnx", net.x)
    with pytest.raises(ModelError) as caught:
        from_onnx(path, **{"preprocess": "tf", **options})
    assert words in str(caught.value)


def test_two_outputs_need_a_choice(tmp_path):
    net = NETWORKS["resnet"]()
    path = net.save(tmp_path / "net.onnx", net.x, net.features)
    with pytest.raises(ModelError, match=f"2 outputs \\({net.x}, {net.features}\\); choose one with --output"):
        from_onnx(path, "tf")
    by_tensor = from_onnx(path, "tf", output=net.features)
    by_node = from_onnx(path, "tf", output=net.features.replace("_out", ""))
    assert by_tensor.data == by_node.data


def test_command(tmp_path, capsys):
    net = NETWORKS["keras"]()
    path, out = net.save(tmp_path / "net.onnx", net.x), tmp_path / "net.safetensors"
    arguments = ["models", "convert", "--onnx", str(path)]
    assert main([*arguments, str(out)]) == 3
    assert "--preprocess" in capsys.readouterr().err and not out.exists()
    assert main([*arguments, "--preprocess", "tf", "--weights", "x.h5", str(out)]) == 3
    assert "an ONNX file holds its weights" in capsys.readouterr().err
    assert main([*arguments, "--preprocess", "tf", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "features LeakyRelu_" in shown and "cut off behind it: 4 nodes (ReduceMean, MatMul, Add, Softmax)" in shown
    graph, _ = container.read(out.read_bytes())
    assert graph["provenance"]["source"] == "net.onnx"
    assert graph["preprocess"]["mode"] not in PREPROCESS  # the network's own scaling has joined it
