# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0 to Lite4: the one definition of the networks.

They are MobileNetV2's inverted residuals with 3x3 and 5x5 windows, TensorFlow's SAME padding, ReLU6, batch norms with
epsilon 1e-3, and no squeeze-excite. Width and depth scale all blocks but the stem, the head and the repeats of the
first and the last stage.
"""

import math
from typing import Any, Dict, Iterator, NamedTuple

import numpy as np

from pomona.models import ModelError
from pomona.models.graph import INPUT, GraphBuilder

_EPSILON = 1e-3
_STEM, _HEAD = 32, 1280


class Variant(NamedTuple):
    width: float
    depth: float
    input_size: int  # the size it was trained at


VARIANTS = {
    "lite0": Variant(1.0, 1.0, 224),
    "lite1": Variant(1.0, 1.1, 240),
    "lite2": Variant(1.1, 1.2, 260),
    "lite3": Variant(1.2, 1.4, 280),
    "lite4": Variant(1.4, 1.8, 300),
}


class Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def blocks(variant: Variant) -> Iterator[Stage]:
    """One entry a block, scaled; within a stage only the first block has the stride."""
    for stage in _STAGES:
        fixed = stage in (_STAGES[0], _STAGES[-1])
        repeats = stage.repeats if fixed else math.ceil(stage.repeats * variant.depth)
        filters = _round_filters(stage.filters * variant.width)
        for index in range(repeats):
            yield stage._replace(repeats=1, filters=filters, stride=1 if index else stage.stride)


def _round_filters(filters: float) -> int:
    """The nearest multiple of 8, but never less than 90 % of what was asked."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * filters else rounded + 8


def build(variant_name: str, state: Dict[str, np.ndarray], input_size: int, provenance: Dict[str, Any]) -> bytes:
    """The model file. `state` holds the tensors under the names of the PyTorch port (`_conv_stem.weight`, ...)."""
    variant = VARIANTS[variant_name]
    net = _Net(f"EfficientNet-{variant_name.capitalize()}", input_size, state)
    x = net.conv(INPUT, "stem", "_conv_stem", "_bn0", kernel=3, filters=_STEM, stride=2)
    channels = _STEM
    for index, block in enumerate(blocks(variant)):
        x = net.block(x, index, channels, block)
        channels = block.filters
    x = net.conv(x, "head", "_conv_head", "_bn1", kernel=1, filters=_HEAD)
    net.check_all_used()
    return net.graph.finish(x, provenance)


class _Net:
    """Adds layers to the graph and takes their tensors from the state dict."""

    def __init__(self, name: str, input_size: int, state: Dict[str, np.ndarray]):
        self.graph = GraphBuilder(name, input_size, "lite")
        self._state = state
        self._channels = {INPUT: 3}
        self._used = {"_fc.weight", "_fc.bias"}  # the classifier is not part of the features

    def block(self, x: str, index: int, channels: int, block: Stage) -> str:
        name, source, inside = f"block_{index}", f"_blocks.{index}", channels * block.expand
        y = x
        if block.expand != 1:
            y = self.conv(y, f"{name}_expand", f"{source}._expand_conv", f"{source}._bn0", kernel=1, filters=inside)
        y = self._depthwise(y, name, source, inside, block)
        names = f"{name}_project", f"{source}._project_conv", f"{source}._bn2"
        y = self.conv(y, *names, kernel=1, filters=block.filters, act=False)
        if block.stride == 1 and channels == block.filters:
            y = self.graph.node("add", f"{name}_add", [y, x])
        self._channels[y] = block.filters
        return y

    def conv(
        self, x: str, name: str, conv: str, norm: str, kernel: int, filters: int, stride: int = 1, act: bool = True
    ) -> str:
        weight = self._take(f"{conv}.weight", (filters, self._channels[x], kernel, kernel))
        weights = {"kernel": weight.transpose(2, 3, 1, 0)}  # [out][in][kh][kw] -> [kh][kw][in][out]
        y = self.graph.node("conv2d", name, x, weights, strides=[stride, stride], padding="same")
        return self._finish(y, norm, filters, act)

    def _depthwise(self, x: str, name: str, source: str, channels: int, block: Stage) -> str:
        weight = self._take(f"{source}._depthwise_conv.weight", (channels, 1, block.kernel, block.kernel))
        weights = {"kernel": weight.transpose(2, 3, 0, 1)}  # [c][1][kh][kw] -> [kh][kw][c][1]
        strides = [block.stride, block.stride]
        y = self.graph.node("depthwise_conv2d", f"{name}_depthwise", x, weights, strides=strides, padding="same")
        return self._finish(y, f"{source}._bn1", channels, True)

    def _finish(self, x: str, norm: str, channels: int, act: bool) -> str:
        roles = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
        weights = {role: self._take(f"{norm}.{key}", (channels,)) for role, key in roles.items()}
        self._used.add(f"{norm}.num_batches_tracked")
        y = self.graph.node("batch_norm", f"{x}_bn", x, weights, epsilon=_EPSILON)
        if act:
            y = self.graph.node("activation", f"{x}_relu6", y, kind="relu6")
        self._channels[y] = channels
        return y

    def _take(self, key: str, shape: tuple) -> np.ndarray:
        tensor = self._state.get(key)
        if tensor is None or tensor.shape != shape:
            found = "missing" if tensor is None else f"of shape {tensor.shape}"
            raise ModelError(f"weights: {key} is {found}, expected {shape}; are they of another variant?")
        self._used.add(key)
        return tensor

    def check_all_used(self) -> None:
        left = sorted(set(self._state) - self._used)
        if left:
            raise ModelError(f"weights: {len(left)} tensors belong to no layer, such as {left[0]}: another variant?")
