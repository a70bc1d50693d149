# SPDX-License-Identifier: Apache-2.0
"""ONNX operators from element to element: arithmetic with constants and between maps, and activations."""

from dataclasses import replace
from typing import Optional

import numpy as np

from pomona.models.onnx_formulas import recognize
from pomona.models.onnx_maps import Map
from pomona.models.onnx_step import Step, operator

_LARGEST = float(np.finfo(np.float32).max)
_KINDS = {"Relu": "relu", "Sigmoid": "sigmoid", "HardSwish": "hard_swish", "Tanh": "tanh"}


@operator(*_KINDS)
def _plain(step: Step) -> Map:
    return _activation(step, step.any_map(), kind=_KINDS[step.node.op])


@operator("LeakyRelu")
def _leaky_relu(step: Step) -> Map:
    return _activation(step, step.any_map(), kind="leaky_relu", alpha=float(step.attribute("alpha", 0.01)))


@operator("HardSigmoid")
def _hard_sigmoid(step: Step) -> Map:
    alpha, beta = float(step.attribute("alpha", 0.2)), float(step.attribute("beta", 0.5))
    return _activation(step, step.any_map(), kind="hard_sigmoid", alpha=alpha, beta=beta)


@operator("Gelu")
def _gelu(step: Step) -> Map:
    return _activation(step, step.any_map(), kind="gelu", approximate=step.attribute("approximate", "none") == "tanh")


@operator("Clip")
def _clip(step: Step) -> Map:
    low, high = (_bound(step, index, name) for index, name in ((1, "min"), (2, "max")))
    return _clamp(step, step.any_map(), low, high)


@operator("Max", "Min")
def _limit(step: Step) -> Map:
    """With one scalar, as TensorFlow writes ReLU6."""
    step.require(len(step.node.inputs) == 2, f"{len(step.node.inputs)} inputs")
    index = 1 if step.node.inputs[0] in step.state.constants else 0
    limit = step.weight(1 - index)
    step.require(limit.size == 1, f"a limit of shape {limit.shape}")
    low, high = (limit.item(), None) if step.node.op == "Max" else (None, limit.item())
    return _clamp(step, step.any_map(index), low, high)


def _bound(step: Step, index: int, name: str) -> Optional[float]:
    found = step.constant(index)
    if found is None:
        return step.attribute(name)
    step.require(found.size == 1, f"{name} of shape {found.shape}")
    return found.item()


def _clamp(step: Step, x: Map, low: Optional[float], high: Optional[float]) -> Map:
    """Limits beyond float are none."""
    low = -_LARGEST if low is None else max(float(low), -_LARGEST)
    high = _LARGEST if high is None else min(float(high), _LARGEST)
    step.require(low <= high, f"a range from {low} to {high}")
    if low == 0 and high in (6, _LARGEST):
        return _activation(step, x, kind="relu6" if high == 6 else "relu")
    return _activation(step, x, kind="clip", low=low, high=high)


def _activation(step: Step, x: Map, **attributes: object) -> Map:
    return step.lose(x) if x.lost else step.then(x, "activation", **attributes)


@operator("Erf", "Sqrt", "Reciprocal", "Pow", "Exp")
def _part_of_a_formula(step: Step) -> Map:
    return step.lose(step.any_map())


@operator("Neg")
def _neg(step: Step) -> Map:
    return _affine(step, step.any_map(), np.float64(-1), None)


@operator("Add", "Sub", "Mul", "Div")
def _arithmetic(step: Step) -> Map:
    first, second = (name in step.state.constants for name in step.node.inputs)
    if not first and not second:
        return _between_maps(step, step.any_map(0), step.any_map(1))
    x, weight = step.any_map(1 if first else 0), step.weight(0 if first else 1)
    if x.lost and x.channels == 1:  # a mean or a deviation of each pixel, about to meet gamma
        x = replace(x, channels=weight.size)
    found = recognize(step, x)
    if found:
        return found
    constant = x.by_channel(weight)
    step.require(constant is not None, "a constant that differs from pixel to pixel")
    return _with_constant(step, x, constant, first)


def _with_constant(step: Step, x: Map, constant: np.ndarray, constant_first: bool) -> Map:
    op = step.node.op
    if op == "Add":
        return _affine(step, x, None, constant)
    if op == "Sub":
        return _affine(step, x, np.float64(-1), constant) if constant_first else _affine(step, x, None, -constant)
    if op == "Mul":
        return _affine(step, x, constant, None)
    if constant_first:
        return step.lose(x)
    step.require(bool(np.all(constant)), "a division by zero")
    return _affine(step, x, 1 / constant, None)


def _affine(step: Step, x: Map, scale: Optional[np.ndarray], shift: Optional[np.ndarray]) -> Map:
    if x.lost:
        return step.lose(x)
    given = {"scale": scale, "shift": shift}
    weights = {role: np.broadcast_to(value, x.channels) for role, value in given.items() if value is not None}
    return step.then(x, "affine", weights)


def _between_maps(step: Step, a: Map, b: Map) -> Map:
    """The format multiplies and adds maps of one shape, or a map and one pixel for all."""
    result = _broadcast(step, a, b)
    found = recognize(step, result)
    if found:
        return found
    large, small = (a, b) if a.height * a.width >= b.height * b.width else (b, a)
    fits = large.sides == result.sides and small.channels == large.channels
    fits = fits and (small.height, small.width) in ((1, 1), (large.height, large.width))
    if a.lost or b.lost or not fits or step.node.op == "Div":
        return step.lose(replace(result, lost=a.lost or b.lost))
    if step.node.op == "Mul":
        return replace(result, node=step.emit("multiply", [large.node, small.node]))
    if step.node.op == "Sub":
        minus = replace(b, node=step.emit("affine", [b.node], {"scale": np.full(b.channels, -1.0)}))
        large, small = (large, minus) if small is b else (minus, small)
    return replace(result, node=step.emit("add", [large.node, small.node]))


def _broadcast(step: Step, a: Map, b: Map) -> Map:
    """The map that comes out, after a check that axes which meet run over the same letters."""
    rank = max(len(a.axes), len(b.axes))
    pairs = [[_at(x, index - rank) for x in (a, b)] for index in range(rank)]
    for one, other in pairs:
        step.require(one == other or not one or not other, f"{' x '.join(a.axes)} with {' x '.join(b.axes)}")
    axes = tuple(one or other for one, other in pairs)
    for letter in "NHWC":
        sizes = {a.size(letter), b.size(letter)}
        step.require(len(sizes - {1}) < 2, f"sides of {sorted(sizes)}")
    sides = [max(a.size(letter), b.size(letter)) for letter in "NHWC"]
    return Map("", *sides, axes=axes)


def _at(x: Map, index: int) -> str:
    """The letters at an axis counted from the end."""
    return x.live(index % len(x.axes)) if -index <= len(x.axes) else ""


@operator("Sum")
def _sum(step: Step) -> Map:
    total = step.map(0)
    for index in range(1, len(step.node.inputs)):
        other = step.map(index)
        result = _broadcast(step, total, other)
        step.require(total.sides == other.sides == result.sides, "maps of different shapes")
        total = replace(result, node=step.emit("add", [total.node, other.node]))
    return total
