# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that look through a window: convolutions and pooling."""

from dataclasses import replace
from typing import Any, Dict, NamedTuple, Tuple

import numpy as np

from pomona.models.onnx_maps import Map
from pomona.models.onnx_step import Step, operator

Pair = Tuple[int, int]


class Window(NamedTuple):
    """A window moving over a map. `pads` are those that the file asks for, `extra` what ceil_mode adds at the end."""

    size: Pair
    strides: Pair
    dilations: Pair
    pads: Tuple[Pair, Pair]
    extra: Pair
    out: Pair

    @property
    def padding(self) -> Any:
        """[top, bottom, left, right], or the word for none."""
        (top, bottom), (left, right) = self.pads
        numbers = [top, bottom + self.extra[0], left, right + self.extra[1]]
        return numbers if any(numbers) else "valid"


@operator("Conv")
def _conv(step: Step) -> Map:
    """ONNX has its kernels as [out, in / groups, kh, kw]."""
    x, kernel, groups = step.image(), step.weight(1), step.attribute("group", 1)
    step.require(kernel.ndim == 4, f"a kernel of {kernel.ndim} dimensions")
    out, inside = kernel.shape[:2]
    if groups < 1 or inside * groups != x.channels or out % groups:
        raise step.fail(f"{groups} groups of {inside} channels do not fit {x.channels} channels in and {out} out")
    window = _window(step, x, kernel.shape[2:])
    weights = _with_bias(step, _kernel(kernel, groups, x.channels), out)
    attributes: Dict[str, Any] = {"strides": list(window.strides), "padding": window.padding}
    if window.dilations != (1, 1):
        attributes["dilations"] = list(window.dilations)
    depthwise = _is_depthwise(groups, x.channels)
    if groups > 1 and not depthwise:
        attributes["groups"] = groups
    node = step.emit("depthwise_conv2d" if depthwise else "conv2d", [x.node], weights, **attributes)
    return Map(node, x.batch, *window.out, out)


def _is_depthwise(groups: int, channels: int) -> bool:
    return groups == channels > 1


def _kernel(kernel: np.ndarray, groups: int, channels: int) -> np.ndarray:
    if not _is_depthwise(groups, channels):
        return kernel.transpose(2, 3, 1, 0)
    multiples = kernel.reshape(channels, -1, *kernel.shape[2:])  # [channels, multiplier, kh, kw]
    return multiples.transpose(2, 3, 0, 1)


def _with_bias(step: Step, kernel: np.ndarray, out: int) -> Dict[str, np.ndarray]:
    if not step.has(2):
        return {"kernel": kernel}
    bias = step.weight(2)
    step.require(bias.shape == (out,), f"a bias of shape {bias.shape} for {out} channels")
    return {"kernel": kernel, "bias": bias}


@operator("MaxPool", "AveragePool")
def _pool(step: Step) -> Map:
    x, size = step.image(), step.attribute("kernel_shape", [])
    window = _window(step, x, size)
    step.require(window.dilations == (1, 1), f"pooling with dilations {list(window.dilations)}")
    kind = "avg" if step.node.op == "AveragePool" else "max"
    if window.size == (x.height, x.width) and window.padding == "valid":
        return _global(step, x, kind)
    attributes = {"pool": list(window.size), "strides": list(window.strides), "padding": window.padding}
    if kind == "avg" and step.attribute("count_include_pad", 0) and window.padding != "valid":
        step.require(window.extra == (0, 0), "count_include_pad with a ceil_mode that adds pixels")
        attributes["count_padding"] = True
    return Map(step.emit(f"{kind}_pool", [x.node], **attributes), x.batch, *window.out, x.channels)


@operator("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(step: Step) -> Map:
    return _global(step, step.image(), "avg" if step.node.op == "GlobalAveragePool" else "max")


@operator("ReduceMean", "ReduceMax")
def _reduce(step: Step) -> Map:
    """Over the pixels it is pooling; over the channels it may be a part of LayerNormalization."""
    x, mean = step.any_map(), step.node.op == "ReduceMean"
    rank = len(x.axes)
    numbers = step.numbers("axes", 1)
    if numbers is None:
        step.require(not step.attribute("noop_with_empty_axes", 0), "noop_with_empty_axes")
        numbers = list(range(rank))
    over = {step.axis(number, rank) for number in numbers}
    letters, whole = _letters(x, over), _letters(x, set(range(rank)))
    if letters == {"C"} and mean:
        pooled = replace(step.lose(x), channels=1)
    else:
        step.require(letters == whole & {"H", "W"}, f"over the axes {sorted(over)} of {' x '.join(x.axes)}")
        pooled = _global(step, step.map(), "avg" if mean else "max")
    axes = tuple(x.axes[i] for i in range(rank) if step.attribute("keepdims", 1) or i not in over)
    return replace(pooled, axes=axes)


def _letters(x: Map, axes: Any) -> set:
    return set("".join(x.live(axis) for axis in axes))


def _global(step: Step, x: Map, kind: str) -> Map:
    """Each channel as one pixel; a map that is one already stays."""
    step.state.pooled.append(step.node.inputs[0])
    if (x.height, x.width) == (1, 1):
        return x
    return Map(step.emit("global_pool", [x.node], kind=kind), x.batch, 1, 1, x.channels)


def _window(step: Step, x: Map, size: Any) -> Window:
    size, strides, dilations = (
        _pair(step, *item)
        for item in (
            ("kernel_shape", list(size)),
            ("strides", step.attribute("strides", [1, 1])),
            ("dilations", step.attribute("dilations", [1, 1])),
        )
    )
    if list(step.attribute("kernel_shape", size)) != list(size):
        raise step.fail(f"kernel_shape {step.attribute('kernel_shape')} is not its kernel's {list(size)}")
    reach = tuple((k - 1) * d + 1 for k, d in zip(size, dilations))
    sides = (x.height, x.width)
    pads = _pads(step, sides, reach, strides)
    ceil = bool(step.attribute("ceil_mode", 0))
    moves = [_moves(i + sum(p), i + p[0], k, s, ceil) for i, p, k, s in zip(sides, pads, reach, strides)]
    if min(out for out, _ in moves) < 1:
        raise step.fail(f"the window of {list(reach)} is larger than its padded input")
    (rows, more_rows), (columns, more_columns) = moves
    return Window(size, strides, dilations, pads, (more_rows, more_columns), (rows, columns))


def _pair(step: Step, name: str, numbers: Any) -> Pair:
    step.require(len(numbers) == 2 and min(numbers) >= 1, f"{name} {list(numbers)}")
    return int(numbers[0]), int(numbers[1])


def _pads(step: Step, sides: Pair, reach: Any, strides: Pair) -> Tuple[Pair, Pair]:
    """ONNX lists [top, left, bottom, right], or names TensorFlow's rule with the odd pixel at the end or the start."""
    kind = step.attribute("auto_pad", "NOTSET")
    if kind in ("NOTSET", "VALID"):
        pads = step.attribute("pads", [0] * 4) if kind == "NOTSET" else [0] * 4
        step.require(len(pads) == 4 and min(pads) >= 0, f"pads {list(pads)}")
        return (pads[0], pads[2]), (pads[1], pads[3])
    step.require(kind in ("SAME_UPPER", "SAME_LOWER"), f"auto_pad {kind}")
    totals = [max((-(-i // s) - 1) * s + k - i, 0) for i, k, s in zip(sides, reach, strides)]
    halves = [(total // 2, total - total // 2) for total in totals]
    rows, columns = halves if kind == "SAME_UPPER" else [half[::-1] for half in halves]
    return rows, columns


def _moves(padded: int, until: int, reach: int, stride: int, ceil: bool) -> Pair:
    """How many windows fit, and the pixels beyond the padding that the last one needs. With ceil_mode the last may
    hang over, but must start before `until`, the end of the input."""
    room = padded - reach
    if room < 0 and not ceil:
        return 0, 0
    out = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (out - 1) * stride >= until:
        out -= 1
    return out, max(0, (out - 1) * stride - room)
