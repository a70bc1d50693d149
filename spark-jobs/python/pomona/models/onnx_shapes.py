# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that move, drop or name elements: most of them only change what we know about the axes."""

import math
from dataclasses import replace
from typing import List, Tuple

import numpy as np

from pomona.models import ModelError
from pomona.models.onnx_maps import Map
from pomona.models.onnx_step import Step, operator

_FLOATS = (1, 10, 11, 16)  # float, float16, double, bfloat16
_MOST_SELECTED = 1 << 20  # elements of a kernel that picks channels


@operator("Identity", "Dropout", "Cast")
def _same(step: Step) -> Map:
    step.require(step.attribute("to", 1) in _FLOATS, "a map of whole numbers")
    if step.node.op == "Dropout" and step.has(2):
        step.require(not np.any(step.constant(2)), "training_mode")
    return step.any_map()


@operator("Transpose")
def _transpose(step: Step) -> Map:
    x = step.any_map()
    order = step.attribute("perm", list(range(len(x.axes)))[::-1])
    if sorted(order) != list(range(len(x.axes))):
        raise step.fail(f"perm {order} does not fit")
    return replace(x, axes=tuple(x.axes[axis] for axis in order))


@operator("Flatten")
def _flatten(step: Step) -> Map:
    x = step.any_map()
    axis = step.attribute("axis", 1)
    axis = axis if axis == len(x.axes) else step.axis(axis, len(x.axes))
    return _reshaped(step, x, [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])])


@operator("Reshape")
def _reshape(step: Step) -> Map:
    x, shape = step.any_map(), step.numbers("shape", 1)
    if not step.attribute("allowzero", 0):
        if any(side == 0 and index >= len(x.shape) for index, side in enumerate(shape)):
            raise step.fail(f"the shape {shape} copies an axis that is not there")
        shape = [side or x.shape[index] for index, side in enumerate(shape)]
    known = math.prod(side for side in shape if side != -1)
    if min(shape, default=1) < -1 or known < 1 or shape.count(-1) > 1 or math.prod(x.shape) % known:
        raise step.fail(f"the shape {shape} does not fit")
    return _reshaped(step, x, [math.prod(x.shape) // known if side == -1 else side for side in shape])


def _reshaped(step: Step, x: Map, shape: List[int]) -> Map:
    try:
        result = x.reshaped(shape)
    except ModelError as error:
        raise step.fail(str(error)) from error
    letters = [set(result.live(axis)) for axis in range(len(result.axes))]
    if any("C" in axis and axis & {"H", "W"} for axis in letters):
        step.state.pooled.append(step.node.inputs[0])
    return result


@operator("Squeeze")
def _squeeze(step: Step) -> Map:
    x = step.any_map()
    rank, numbers = len(x.axes), step.numbers("axes", 1)
    if numbers is None:
        dropped = {axis for axis in range(rank) if not x.live(axis)}
    else:
        dropped = {step.axis(number, rank) for number in numbers}
    step.require(not any(x.live(axis) for axis in dropped), f"the axes {sorted(dropped)} of {' x '.join(x.axes)}")
    return replace(x, axes=tuple(letters for axis, letters in enumerate(x.axes) if axis not in dropped))


@operator("Unsqueeze")
def _unsqueeze(step: Step) -> Map:
    x, numbers = step.any_map(), step.numbers("axes", 1) or []
    rank = len(x.axes) + len(numbers)
    added = {step.axis(number, rank) for number in numbers}
    rest = iter(x.axes)
    return replace(x, axes=tuple("" if axis in added else next(rest) for axis in range(rank)))


@operator("Expand")
def _expand(step: Step) -> Map:
    x, shape = step.any_map(), tuple(step.numbers("shape", 1) or ())
    step.require(len(shape) <= len(x.shape), f"the shape {list(shape)}")
    step.require(np.broadcast_shapes(x.shape, shape) == x.shape, f"growing {list(x.shape)} to {list(shape)}")
    return x


@operator("Pad")
def _pad(step: Step) -> Map:
    x, pads, axes = step.map(), step.numbers("pads", 1), step.numbers("axes", 3)
    value = step.constant(2)
    step.require(step.attribute("mode", "constant") == "constant", f"mode {step.attribute('mode')}")
    step.require(value is None or not np.any(value), "a value other than zero")
    axes = list(range(len(x.axes))) if axes is None else [step.axis(number, len(x.axes)) for number in axes]
    if pads is None or len(pads) != 2 * len(axes):
        raise step.fail(f"the pads {pads} do not fit its axes")
    return _edges(step, x, {axis: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)})


def _edges(step: Step, x: Map, edges: dict) -> Map:
    """Pixels added at the start and the end of an axis, or taken away where the numbers are negative."""
    sides = {"H": (0, 0), "W": (0, 0)}
    for axis, pair in edges.items():
        if any(pair):
            letters = x.live(axis) or x.axes[axis]
            step.require(letters in ("H", "W"), f"pads along axis {axis} of {' x '.join(x.axes)}")
            sides[letters] = pair
    numbers = [*sides["H"], *sides["W"]]
    if not any(numbers):
        return x
    step.require(min(numbers) >= 0 or max(numbers) <= 0, "adding and cropping pixels at once")
    op = ("zero_pad", {"padding": numbers}) if max(numbers) > 0 else ("crop", {"cropping": [-n for n in numbers]})
    height, width = x.height + sum(sides["H"]), x.width + sum(sides["W"])
    if min(height, width) < 1:
        raise step.fail("nothing is left")
    return replace(x, node=step.emit(op[0], [x.node], **op[1]), height=height, width=width)


@operator("Slice")
def _slice(step: Step) -> Map:
    x = step.map()
    starts, ends = step.numbers("starts", 1) or [], step.numbers("ends", 2) or []
    axes = step.numbers("axes", 3) or list(range(len(starts)))
    steps = step.numbers("steps", 4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise step.fail("starts, ends, axes and steps differ in length")
    for start, end, number, stride in zip(starts, ends, axes, steps):
        step.require(stride != 0, "a step of 0")
        x = _cut(step, x, step.axis(number, len(x.axes)), slice(start, end, stride))
    return x


def _cut(step: Step, x: Map, axis: int, part: slice) -> Map:
    chosen = range(x.shape[axis])[part]
    if len(chosen) == x.shape[axis] and part.step == 1:
        return x
    if x.live(axis) == "C":
        return _select(step, x, list(chosen))
    step.require(part.step == 1, f"a step of {part.step}")
    if not chosen:
        raise step.fail("nothing is left")
    return _edges(step, x, {axis: (-chosen[0], chosen[-1] + 1 - x.shape[axis])})


@operator("Gather")
def _gather(step: Step) -> Map:
    """One channel or several, as torchvision's InceptionV3 does to scale its input; or all of a flat tensor in order,
    which is how PyTorch writes a view."""
    x, indices = step.any_map(), step.weight(1).astype(np.int64)
    if len(x.axes) == 1 and np.array_equal(indices.ravel(), np.arange(x.shape[0])):
        return _reshaped(step, x, list(indices.shape))
    x = step.map()
    axis = step.axis(step.attribute("axis", 0), len(x.axes))
    step.require(x.live(axis) == "C" and indices.ndim < 2, f"axis {axis} of {' x '.join(x.axes)}")
    if np.any(indices < -x.channels) or np.any(indices >= x.channels):
        raise step.fail(f"indices outside {x.channels} channels")
    result = _select(step, x, [int(index) % x.channels for index in indices.ravel()])
    axes: Tuple[str, ...] = x.axes if indices.ndim else (*x.axes[:axis], *x.axes[axis + 1 :])
    return replace(result, axes=axes)


def _select(step: Step, x: Map, chosen: List[int]) -> Map:
    """A 1x1 convolution with ones at the chosen channels: exact, as zeros add nothing."""
    step.require(0 < len(chosen) * x.channels <= _MOST_SELECTED, f"choosing {len(chosen)} of {x.channels} channels")
    kernel = np.zeros((1, 1, x.channels, len(chosen)))
    kernel[0, 0, chosen, range(len(chosen))] = 1
    return replace(x, node=step.emit("conv2d", [x.node], {"kernel": kernel}), channels=len(chosen))
