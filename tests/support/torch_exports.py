# SPDX-License-Identifier: Apache-2.0
"""Networks of torchvision and timm with weights that are worth testing, as PyTorch's two exporters write them."""

import contextlib
import io
import math
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Optional

import numpy as np
import timm
import torch
import torchvision

from pomona.models.preprocess import PREPROCESS
from support import networks, onnx_exports, reference

_SIDES = {"inception_v3": 299}
_OPTIONS = {"inception_v3": {"transform_input": True, "init_weights": False}}
TORCHVISION = (
    "resnet18 resnet50 mobilenet_v2 mobilenet_v3_small efficientnet_b0 efficientnet_v2_s densenet121 inception_v3 "
    "convnext_tiny regnet_y_400mf regnet_x_400mf squeezenet1_0 squeezenet1_1 vgg11_bn resnext50_32x4d"
).split()
TIMM = (
    "resnet26d convnext_atto efficientnet_lite0 tf_efficientnetv2_b0 mobilenetv3_small_100 regnety_002 densenet121"
).split()
EXPORTS = (("torchscript", 11), ("torchscript", 17), ("dynamo", 18), ("dynamo", 20))


def results(folder: Path, names: Optional[Iterable[str]], level: Optional[str]) -> Iterator[onnx_exports.Result]:
    for name, build in _networks().items():
        if names and name not in names:
            continue
        size = _SIDES.get(name.split("/")[1], 224)
        net = build().eval()
        images = _inputs(networks.pixels(networks.images(), size))
        _draw(net, images)
        exact = _in_float64(net, images[: onnx_exports.IMAGES])
        for exporter, opset in EXPORTS:
            file = folder / "net.onnx"
            if _export(net, size, exporter, opset, file):
                label = f"{name} {exporter} {opset}"
                yield onnx_exports.measure(onnx_exports.Export(label, file, "torch", size, exact), level)


def _networks() -> Dict[str, Callable[[], Any]]:
    def of_torchvision(name: str) -> Any:
        return lambda: getattr(torchvision.models, name)(weights=None, **_OPTIONS.get(name, {}))

    found = {f"torchvision/{name}": of_torchvision(name) for name in TORCHVISION}
    return {**found, **{f"timm/{name}": lambda name=name: timm.create_model(name) for name in TIMM}}


def _inputs(pixels: np.ndarray) -> torch.Tensor:
    x = reference.preprocess(PREPROCESS["torch"], pixels).astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def _draw(net: Any, images: torch.Tensor) -> None:
    """Kernels that keep activations of order one, every scale of order one, statistics of the images."""
    torch.manual_seed(0)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):  # small: without batch norms large ones would drown the image
            torch.nn.init.uniform_(parameter, -0.3, 0.3)
        elif parameter.ndim > 1 and min(parameter.shape[0], parameter[0].numel()) > 1:
            torch.nn.init.normal_(parameter, 0, math.sqrt(2 / parameter[0].numel()))
        else:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    norms = [module for module in net.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        net(images)
    net.eval()


def _in_float64(net: Any, images: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        exact = net.double()(images.double()).numpy()
    net.float()
    return exact


def _export(net: Any, size: int, exporter: str, opset: int, file: Path) -> bool:
    """False where the exporter itself cannot; it says why by itself."""
    dynamo = exporter == "dynamo"
    example = torch.zeros(2 if dynamo else 1, 3, size, size)
    batch = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if dynamo else {"dynamic_axes": {"image": {0: "n"}}}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                net, (example,), str(file), dynamo=dynamo, opset_version=opset, input_names=["image"], **batch
            )
        except torch.onnx.errors.UnsupportedOperatorError as error:
            print(f"not exported at opset {opset}: {error}")
            return False
    return True
