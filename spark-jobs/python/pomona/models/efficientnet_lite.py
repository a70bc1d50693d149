# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0 to Lite4: the one definition of the networks.

They are MobileNetV2's inverted residuals with 3x3 and 5x5 windows, TensorFlow's SAME padding, ReLU6, batch norms with
epsilon 1e-3, and no squeeze-excite. Width and depth scale all blocks but the stem, the head and the repeats of the
first and the last stage.
"""

import math
import re
from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

from pomona.models.graph import INPUT
from pomona.models.torch_net import State, TorchNet

_EPSILON = 1e-3
_TIMM_BLOCK = re.compile(r"blocks\.\d+\.\d+\.\w+\.\w+$")
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


def build(
    variant_name: str,
    state: State,
    input_size: int,
    provenance: Dict[str, Any],
    classes: Optional[Sequence[str]] = None,
) -> bytes:
    """The model file of the feature map, or of the whole classifier when its classes are named."""
    name = f"EfficientNet-{variant_name.capitalize()}"
    net = TorchNet(name, input_size, "lite", _port_names(state), _EPSILON)
    x = _conv(net, INPUT, "stem", ("_conv_stem", "_bn0"), kernel=3, filters=_STEM, stride=2)
    for index, block in enumerate(blocks(VARIANTS[variant_name])):
        x = _block(net, x, index, block)
    x = _conv(net, x, "head", ("_conv_head", "_bn1"), kernel=1, filters=_HEAD)
    if not classes:
        net.leave("_fc")
        return net.finish(x, provenance, None)
    return net.finish(net.softmax(net.dense(net.average(x), "_fc", len(classes))), provenance, classes)


def _block(net: TorchNet, x: str, index: int, block: Stage) -> str:
    name, source, inside = f"block_{index}", f"_blocks.{index}", net.channels(x) * block.expand
    y = x
    if block.expand != 1:
        y = _conv(net, y, f"{name}_expand", (f"{source}._expand_conv", f"{source}._bn0"), kernel=1, filters=inside)
    y = net.depthwise(y, f"{name}_depthwise", f"{source}._depthwise_conv", block.kernel, block.stride, "same")
    y = net.act(net.norm(y, f"{source}._bn1"), "relu6")
    y = net.conv(y, f"{name}_project", f"{source}._project_conv", 1, block.filters, padding="same")
    y = net.norm(y, f"{source}._bn2")
    return net.add(f"{name}_add", y, x) if block.stride == 1 and net.channels(x) == block.filters else y


def _conv(
    net: TorchNet, x: str, name: str, sources: Tuple[str, str], kernel: int, filters: int, stride: int = 1
) -> str:
    y = net.conv(x, name, sources[0], kernel, filters, stride, "same")
    return net.act(net.norm(y, sources[1]), "relu6")


# What the PyTorch port of timm calls the layers: outside of blocks, in blocks with and without an expansion.
_OUTSIDE = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
_PLAIN = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_EXPANDED = {
    **{"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"},
    **{"conv_pwl": "_project_conv", "bn3": "_bn2"},
}


def _port_names(state: State) -> State:
    """The state dict under the names of the port that published Lite0 to Lite2; timm counts blocks within stages."""
    if "conv_stem.weight" not in state:
        return state
    places = sorted({tuple(map(int, key.split(".")[1:3])) for key in state if _TIMM_BLOCK.match(key)})
    flat = {place: index for index, place in enumerate(places)}

    def renamed(key: str) -> str:
        if not _TIMM_BLOCK.match(key):
            layer, _, rest = key.partition(".")
            return f"{_OUTSIDE.get(layer, layer)}.{rest}"
        stage, index, layer, rest = key.split(".", 4)[1:]
        names = _PLAIN if stage == "0" else _EXPANDED
        return f"_blocks.{flat[int(stage), int(index)]}.{names.get(layer, layer)}.{rest}"

    return {renamed(key): tensor for key, tensor in state.items()}
