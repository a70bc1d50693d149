# SPDX-License-Identifier: Apache-2.0
"""torchvision's ResNet, Wide ResNet, ResNeXt, MobileNetV2, RegNet and SqueezeNet, from their state dicts."""

from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

from pomona.models.graph import INPUT
from pomona.models.torch_net import State, TorchNet

_EPSILON = 1e-5


class _ResNet(NamedTuple):
    repeats: Sequence[int]  # blocks of each stage
    bottleneck: bool = True  # a block is 1x1, 3x3, 1x1, four times as wide at its end
    widening: int = 1  # of a bottleneck's inner convolutions
    groups: int = 1  # of its 3x3


_RESNETS = {
    "resnet18": _ResNet((2, 2, 2, 2), bottleneck=False),
    "resnet34": _ResNet((3, 4, 6, 3), bottleneck=False),
    "resnet50": _ResNet((3, 4, 6, 3)),
    "resnet101": _ResNet((3, 4, 23, 3)),
    "resnet152": _ResNet((3, 8, 36, 3)),
    "wide_resnet50_2": _ResNet((3, 4, 6, 3), widening=2),
    "resnext50_32x4d": _ResNet((3, 4, 6, 3), widening=2, groups=32),
}

# Expansion, filters, repeats, stride of the first.
_MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

# Blocks and channels of each stage, channels of a group, and the share of a block's input that its gate squeezes to.
_REGNETS = {"regnet_y_400mf": ((1, 3, 6, 6), (48, 104, 208, 440), 8, 0.25)}

# The first layer's window and filters, then a number for a fire module that squeezes to so many channels, 0 for a pool.
_SQUEEZENETS = {
    "squeezenet1_0": (7, 96, (0, 16, 16, 32, 0, 32, 48, 48, 64, 0, 64)),
    "squeezenet1_1": (3, 64, (0, 16, 16, 0, 32, 32, 0, 48, 48, 64, 64)),
}


def build(
    network: str,
    state: State,
    input_size: int,
    preprocess: str,
    provenance: Dict[str, Any],
    classes: Optional[Sequence[str]] = None,
) -> bytes:
    """The model file of the feature map, or of the whole classifier when its classes are named."""
    net = TorchNet(f"torchvision/{network}", input_size, preprocess, state, _EPSILON)
    x, top, head = NETWORKS[network](net, network)
    if not classes:
        net.leave(top)
        return net.finish(x, provenance, None)
    return net.finish(net.softmax(head(x, len(classes))), provenance, classes)


Head = Callable[[str, int], str]  # feature map, number of classes -> logits, 1 x 1
Built = Tuple[str, str, Head]  # feature map, what the tensors of the classifier begin with, its layers


def _resnet(net: TorchNet, network: str) -> Built:
    kind = _RESNETS[network]
    x = net.act(net.norm(net.conv(INPUT, "conv1", "conv1", 7, 64, stride=2, padding=3), "bn1"), "relu")
    x = net.max_pool(x, "maxpool", 3, 2, padding=1)
    for stage, count in enumerate(kind.repeats):
        for index in range(count):
            stride = 2 if stage and not index else 1
            x = _residual(net, x, f"layer{stage + 1}.{index}", 64 << stage, stride, kind)
    return x, "fc", lambda features, classes: net.dense(net.average(features), "fc", classes)


def _residual(net: TorchNet, x: str, name: str, width: int, stride: int, kind: _ResNet) -> str:
    inner = kind.widening * width
    # kernel, filters, stride, groups: the stride of a bottleneck is at its 3x3
    bottleneck = (1, inner, 1, 1), (3, inner, stride, kind.groups), (1, 4 * width, 1, 1)
    windows = bottleneck if kind.bottleneck else ((3, width, stride, 1), (3, width, 1, 1))
    y = x
    for index, (kernel, filters, step, groups) in enumerate(windows, 1):
        source = f"{name}.conv{index}"
        y = net.conv(y, source, source, kernel, filters, step, kernel // 2, groups=groups)
        y = net.norm(y, f"{name}.bn{index}")
        y = net.act(y, "relu") if index < len(windows) else y
    filters = net.channels(y)
    if stride > 1 or net.channels(x) != filters:
        x = net.conv(x, f"{name}.downsample", f"{name}.downsample.0", 1, filters, stride)
        x = net.norm(x, f"{name}.downsample.1")
    return net.act(net.add(f"{name}.add", y, x), "relu")


def _mobilenet_v2(net: TorchNet, network: str) -> Built:
    def conv_norm(x: str, source: str, kernel: int, filters: int, stride: int = 1) -> str:
        y = net.conv(x, source, f"{source}.0", kernel, filters, stride, kernel // 2)
        return net.act(net.norm(y, f"{source}.1"), "relu6")

    def block(x: str, source: str, expand: int, filters: int, stride: int) -> str:
        y = x if expand == 1 else conv_norm(x, f"{source}.0", 1, expand * net.channels(x))
        first = 0 if expand == 1 else 1
        y = net.depthwise(y, f"{source}.{first}", f"{source}.{first}.0", 3, stride, 1)
        y = net.act(net.norm(y, f"{source}.{first}.1"), "relu6")
        y = net.conv(y, f"{source}.{first + 1}", f"{source}.{first + 1}", 1, filters)
        y = net.norm(y, f"{source}.{first + 2}")
        return net.add(f"{source}.add", y, x) if stride == 1 and net.channels(x) == filters else y

    x, index = conv_norm(INPUT, "features.0", 3, 32, 2), 1
    for expand, filters, repeats, stride in _MOBILENET_V2:
        for repeat in range(repeats):
            x = block(x, f"features.{index}.conv", expand, filters, 1 if repeat else stride)
            index += 1
    x = conv_norm(x, f"features.{index}", 1, 1280)
    return x, "classifier", lambda features, classes: net.dense(net.average(features), "classifier.1", classes)


def _regnet(net: TorchNet, network: str) -> Built:
    def conv_norm(x: str, source: str, kernel: int, filters: int, stride: int = 1, groups: int = 1) -> str:
        return net.norm(
            net.conv(x, source, f"{source}.0", kernel, filters, stride, kernel // 2, groups=groups), f"{source}.1"
        )

    def block(x: str, source: str, filters: int, stride: int) -> str:
        y = net.act(conv_norm(x, f"{source}.f.a", 1, filters), "relu")
        y = net.act(conv_norm(y, f"{source}.f.b", 3, filters, stride, filters // group), "relu")
        y = net.gate(y, f"{source}.f.se", round(squeeze * net.channels(x)))
        y = conv_norm(y, f"{source}.f.c", 1, filters)
        if stride > 1 or net.channels(x) != filters:
            x = conv_norm(x, f"{source}.proj", 1, filters, stride)
        return net.act(net.add(f"{source}.add", y, x), "relu")

    repeats, widths, group, squeeze = _REGNETS[network]
    x = net.act(conv_norm(INPUT, "stem", 3, 32, 2), "relu")
    for stage, (count, filters) in enumerate(zip(repeats, widths), 1):
        for index in range(count):
            x = block(x, f"trunk_output.block{stage}.block{stage}-{index}", filters, 1 if index else 2)
    return x, "fc", lambda features, classes: net.dense(net.average(features), "fc", classes)


def _squeezenet(net: TorchNet, network: str) -> Built:
    def conv(x: str, source: str, kernel: int, filters: int, stride: int = 1, padding: int = 0) -> str:
        return net.act(net.conv(x, source, source, kernel, filters, stride, padding, bias=True), "relu")

    kernel, filters, parts = _SQUEEZENETS[network]
    x = conv(INPUT, "features.0", kernel, filters, 2)
    for index, squeeze in enumerate(parts, 2):
        name = f"features.{index}"
        if not squeeze:
            x = net.max_pool(x, name, 3, 2, ceil=True)
            continue
        y = conv(x, f"{name}.squeeze", 1, squeeze)
        sides = [conv(y, f"{name}.expand1x1", 1, 4 * squeeze), conv(y, f"{name}.expand3x3", 3, 4 * squeeze, padding=1)]
        x = net.concat(name, sides)
    return x, "classifier", lambda features, classes: net.average(conv(features, "classifier.1", 1, classes))


NETWORKS = {
    **dict.fromkeys(_RESNETS, _resnet),
    "mobilenet_v2": _mobilenet_v2,
    **dict.fromkeys(_REGNETS, _regnet),
    **dict.fromkeys(_SQUEEZENETS, _squeezenet),
}
