# SPDX-License-Identifier: Apache-2.0
"""torchvision's networks in float64, channels first, as its documentation describes them. A network asks for its
tensors by name and shape, so that running it once also draws a state dict.
"""

import math
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

Map = np.ndarray  # [channels, height, width]
Shape = Tuple[int, ...]


class Layers:
    """PyTorch's layers. Without a seed every tensor is 0 and maps have the right shape only."""

    def __init__(self, seed: Optional[int] = None):
        self._random = None if seed is None else np.random.RandomState(seed)
        self.state: Dict[str, np.ndarray] = {}

    def conv(self, x: Map, name: str, out: int, k: int, stride=1, pad=0, groups=1, bias=False) -> Map:
        inside = x.shape[0] // groups
        kernel = self._draw(f"{name}.weight", (out, inside, k, k), (2 / (inside * k * k)) ** 0.5)
        shift = self._draw(f"{name}.bias", (out,), 0.2) if bias else np.zeros(out, np.float32)
        windows = _windows(x, k, stride, pad, 0.0)  # [c][oh][ow][k][k]
        if self._random is None:
            return np.zeros((out, *windows.shape[1:3]))
        parts = zip(np.split(kernel.astype(np.float64), groups), np.split(windows, groups))
        y = np.concatenate([np.tensordot(part, seen, axes=([1, 2, 3], [0, 3, 4])) for part, seen in parts])
        return y + shift[:, None, None].astype(np.float64)

    def norm(self, x: Map, name: str) -> Map:
        c = x.shape[0]
        weight = self._draw(f"{name}.weight", (c,), 0.2, lambda drawn: 1 + drawn)
        bias, mean = self._draw(f"{name}.bias", (c,), 0.2), self._draw(f"{name}.running_mean", (c,), 0.2)
        variance = self._draw(f"{name}.running_var", (c,), 0.5, lambda drawn: 0.5 + np.abs(drawn))
        self.state[f"{name}.num_batches_tracked"] = np.zeros((), np.int64)
        weight, bias, mean, variance = (v.astype(np.float64)[:, None, None] for v in (weight, bias, mean, variance))
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    def linear(self, x: np.ndarray, name: str, out: int) -> np.ndarray:
        weight = self._draw(f"{name}.weight", (out, len(x)), len(x) ** -0.5)
        return weight.astype(np.float64) @ x + self._draw(f"{name}.bias", (out,), 0.2)

    def _draw(self, name: str, shape: Shape, scale: float, place: Callable = lambda drawn: drawn) -> np.ndarray:
        values = np.zeros(shape) if self._random is None else scale * self._random.randn(*shape)
        self.state[name] = place(values).astype(np.float32)
        return self.state[name]


class TrainedLayers(Layers):
    """The same with tensors that exist already."""

    def __init__(self, state: Dict[str, np.ndarray]):
        super().__init__(seed=0)
        self.state = dict(state)

    def _draw(self, name: str, shape: Shape, scale: float, place: Any = None) -> np.ndarray:
        assert self.state[name].shape == shape, name
        return self.state[name]


def relu(x: np.ndarray, most: float = math.inf) -> np.ndarray:
    return np.clip(x, 0, most)


def max_pool(x: Map, k: int, stride: int, pad: int = 0, ceil: bool = False) -> Map:
    if ceil:  # a window that begins inside counts, though it ends outside
        extra = [(-(size - k) % stride) for size in x.shape[1:]]
        x = np.pad(x, ((0, 0), (0, extra[0]), (0, extra[1])), constant_values=-np.inf)
    return _windows(x, k, stride, pad, -np.inf).max((3, 4))


def _windows(x: Map, k: int, stride: int, pad: int, fill: float) -> np.ndarray:
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))[:, ::stride, ::stride]


def resnet(
    net: Layers, x: Map, repeats: Tuple[int, ...], bottleneck: bool, base: int, groups: int, classes: int
) -> Tuple[Map, np.ndarray]:
    """The feature map and the logits."""
    x = max_pool(relu(net.norm(net.conv(x, "conv1", 64, 7, 2, 3), "bn1")), 3, 2, 1)
    for stage, count in enumerate(repeats, 1):
        for index in range(count):
            stride = 2 if stage > 1 and index == 0 else 1
            x = _residual(net, x, f"layer{stage}.{index}", 32 * 2**stage, stride, base if bottleneck else 0, groups)
    return x, net.linear(x.mean((1, 2)), "fc", classes)


def _residual(net: Layers, x: Map, name: str, width: int, stride: int, base: int, groups: int) -> Map:
    """`base`: inner width of a bottleneck of the first stage; 0: no bottleneck."""
    if base:
        inner = width * base // 64
        y = relu(net.norm(net.conv(x, f"{name}.conv1", inner, 1), f"{name}.bn1"))
        y = relu(net.norm(net.conv(y, f"{name}.conv2", inner, 3, stride, 1, groups), f"{name}.bn2"))
        y = net.norm(net.conv(y, f"{name}.conv3", 4 * width, 1), f"{name}.bn3")
    else:
        y = relu(net.norm(net.conv(x, f"{name}.conv1", width, 3, stride, 1), f"{name}.bn1"))
        y = net.norm(net.conv(y, f"{name}.conv2", width, 3, 1, 1), f"{name}.bn2")
    if y.shape != x.shape:
        x = net.norm(net.conv(x, f"{name}.downsample.0", len(y), 1, stride), f"{name}.downsample.1")
    return relu(y + x)


def mobilenet_v2(net: Layers, x: Map, classes: int) -> Tuple[Map, np.ndarray]:
    x = relu(net.norm(net.conv(x, "features.0.0", 32, 3, 2, 1), "features.0.1"), 6)
    number = 1
    settings = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for t, c, n, s in settings:
        for index in range(n):
            x = _inverted(net, x, f"features.{number}.conv", t, c, s if index == 0 else 1)
            number += 1
    x = relu(net.norm(net.conv(x, "features.18.0", 1280, 1), "features.18.1"), 6)
    return x, net.linear(x.mean((1, 2)), "classifier.1", classes)


def _inverted(net: Layers, x: Map, name: str, expand: int, out: int, stride: int) -> Map:
    y, part = x, 0
    if expand > 1:
        y = relu(net.norm(net.conv(y, f"{name}.0.0", expand * len(x), 1), f"{name}.0.1"), 6)
        part = 1
    y = net.conv(y, f"{name}.{part}.0", len(y), 3, stride, 1, groups=len(y))
    y = relu(net.norm(y, f"{name}.{part}.1"), 6)
    y = net.norm(net.conv(y, f"{name}.{part + 1}", out, 1), f"{name}.{part + 2}")
    return x + y if x.shape == y.shape else y


def squeezenet(net: Layers, x: Map, version: str, classes: int) -> Tuple[Map, np.ndarray]:
    if version == "1_0":
        x = relu(net.conv(x, "features.0", 96, 7, 2, bias=True))
        pools, fires = (2, 6, 11), {3: 16, 4: 16, 5: 32, 7: 32, 8: 48, 9: 48, 10: 64, 12: 64}
    else:
        x = relu(net.conv(x, "features.0", 64, 3, 2, bias=True))
        pools, fires = (2, 5, 8), {3: 16, 4: 16, 6: 32, 7: 32, 9: 48, 10: 48, 11: 64, 12: 64}
    for number in range(2, 13):
        name = f"features.{number}"
        if number in pools:
            x = max_pool(x, 3, 2, ceil=True)
            continue
        y = relu(net.conv(x, f"{name}.squeeze", fires[number], 1, bias=True))
        wide = 4 * fires[number]
        left = relu(net.conv(y, f"{name}.expand1x1", wide, 1, bias=True))
        right = relu(net.conv(y, f"{name}.expand3x3", wide, 3, 1, 1, bias=True))
        x = np.concatenate([left, right])
    logits = relu(net.conv(x, "classifier.1", classes, 1, bias=True)).mean((1, 2))
    return x, logits


def regnet_y_400mf(net: Layers, x: Map, classes: int) -> Tuple[Map, np.ndarray]:
    x = relu(net.norm(net.conv(x, "stem.0", 32, 3, 2, 1), "stem.1"))
    for stage, (depth, width) in enumerate(((1, 48), (3, 104), (6, 208), (6, 440)), 1):
        for index in range(depth):
            x = _regnet_block(net, x, f"trunk_output.block{stage}.block{stage}-{index}", width, 2 if index == 0 else 1)
    return x, net.linear(x.mean((1, 2)), "fc", classes)


def _regnet_block(net: Layers, x: Map, name: str, width: int, stride: int) -> Map:
    y = relu(net.norm(net.conv(x, f"{name}.f.a.0", width, 1), f"{name}.f.a.1"))
    y = relu(net.norm(net.conv(y, f"{name}.f.b.0", width, 3, stride, 1, groups=width // 8), f"{name}.f.b.1"))
    means = y.mean((1, 2), keepdims=True)
    inside = relu(net.conv(means, f"{name}.f.se.fc1", len(x) // 4, 1, bias=True))
    y = y / (1 + np.exp(-net.conv(inside, f"{name}.f.se.fc2", width, 1, bias=True)))
    y = net.norm(net.conv(y, f"{name}.f.c.0", width, 1), f"{name}.f.c.1")
    if y.shape != x.shape:
        x = net.norm(net.conv(x, f"{name}.proj.0", width, 1, stride), f"{name}.proj.1")
    return relu(x + y)


RESNETS = {  # blocks of each stage, bottlenecks, their inner width in the first stage, groups of the 3x3
    "resnet18": ((2, 2, 2, 2), False, 64, 1),
    "resnet34": ((3, 4, 6, 3), False, 64, 1),
    "resnet50": ((3, 4, 6, 3), True, 64, 1),
    "resnet101": ((3, 4, 23, 3), True, 64, 1),
    "resnet152": ((3, 8, 36, 3), True, 64, 1),
    "wide_resnet50_2": ((3, 4, 6, 3), True, 128, 1),
    "resnext50_32x4d": ((3, 4, 6, 3), True, 128, 32),
}


def run(network: str, net: Layers, x: Map, classes: int = 1000) -> Tuple[Map, np.ndarray]:
    """Feature map [channels, height, width] and logits."""
    if network in RESNETS:
        return resnet(net, x, *RESNETS[network], classes)
    if network == "mobilenet_v2":
        return mobilenet_v2(net, x, classes)
    if network == "regnet_y_400mf":
        return regnet_y_400mf(net, x, classes)
    return squeezenet(net, x, network[len("squeezenet") :], classes)
