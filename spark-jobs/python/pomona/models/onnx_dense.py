# SPDX-License-Identifier: Apache-2.0
"""ONNX operators over the channels: matrix products, normalisation, softmax, concatenation."""

from dataclasses import replace
from typing import Any, Dict, List, Optional

import numpy as np

from pomona.models.onnx_maps import Map
from pomona.models.onnx_step import Step, operator


@operator("Gemm")
def _gemm(step: Step) -> Map:
    step.require(not step.attribute("transA", 0), "transA")
    kernel = step.weight(1) * step.attribute("alpha", 1.0)
    step.require(kernel.ndim == 2, f"a matrix of {kernel.ndim} dimensions")
    kernel = kernel.T if step.attribute("transB", 0) else kernel
    bias = None
    if step.has(2):
        bias = step.weight(2) * step.attribute("beta", 1.0)
        step.require(bias.size in (1, kernel.shape[1]), f"a bias of shape {bias.shape}")
        bias = np.broadcast_to(bias.ravel(), kernel.shape[1:])
    return _dense(step, kernel, bias)


@operator("MatMul")
def _matmul(step: Step) -> Map:
    kernel = step.weight(1)
    step.require(kernel.ndim == 2, f"a product with an array of shape {kernel.shape}")
    return _dense(step, kernel, None)


def _dense(step: Step, kernel: np.ndarray, bias: Optional[np.ndarray]) -> Map:
    """The last axis against a matrix [in, out]: a convolution over the pixels that this axis runs over, which are all
    behind a Flatten, and one where it runs over the channels alone."""
    x = step.map()
    letters = x.live(len(x.axes) - 1)
    if kernel.shape[0] != x.shape[-1]:
        raise step.fail(f"a matrix of {list(kernel.shape)} does not fit {list(x.shape)}")
    others = {letter for axis in range(len(x.axes) - 1) for letter in x.live(axis)}
    flattened = not others & {"H", "W"} and "N" not in letters
    step.require((flattened or letters == "C") and "C" not in others, f"a product along {' x '.join(x.axes)}")
    weights = {"kernel": _kernel(kernel, x, letters)}
    if bias is not None:
        weights["bias"] = bias
    node = step.emit("conv2d", [x.node], weights)
    axes = (*x.axes[:-1], "C")
    if flattened:
        return Map(node, x.batch, 1, 1, kernel.shape[1], axes)
    return Map(node, x.batch, x.height, x.width, kernel.shape[1], axes)


def _kernel(matrix: np.ndarray, x: Map, letters: str) -> np.ndarray:
    """[in, out] with `in` in the order of the letters -> [h, w, c, out]."""
    sizes = [x.size(letter) if letter in letters else 1 for letter in "HWC"]
    order = letters + "".join(letter for letter in "HWC" if letter not in letters)
    apart = matrix.reshape([sizes["HWC".index(letter)] for letter in order] + [-1])
    return apart.transpose([order.index(letter) for letter in "HWC"] + [3])


@operator("BatchNormalization")
def _batch_normalization(step: Step) -> Map:
    x = step.map()
    step.require(not step.attribute("training_mode", 0), "training_mode")
    step.require(len(x.axes) > 1 and x.live(1) in ("C", ""), f"the axes {' x '.join(x.axes)}")
    weights = {role: step.weight(index) for index, role in enumerate(("gamma", "beta", "mean", "variance"), 1)}
    _require_shape(step, weights, (x.channels,))
    return step.then(x, "batch_norm", weights, epsilon=float(step.attribute("epsilon", 1e-5)))


@operator("LayerNormalization")
def _layer_normalization(step: Step) -> Map:
    x = step.map()
    first = step.axis(step.attribute("axis", -1), len(x.axes))
    _require_channels(step, x, range(first, len(x.axes)))
    weights = {"gamma": step.weight(1).ravel()}
    if step.has(2):
        weights["beta"] = step.weight(2).ravel()
    _require_shape(step, weights, (x.channels,))
    return step.then(x, "layer_norm", weights, epsilon=float(step.attribute("epsilon", 1e-5)))


@operator("Softmax")
def _softmax(step: Step) -> Map:
    """Before opset 13 all axes from the given one on are one."""
    x, rank = step.map(), len(step.map().axes)
    first = step.axis(step.attribute("axis", -1 if step.opset >= 13 else 1), rank)
    _require_channels(step, x, [first] if step.opset >= 13 else range(first, rank))
    return step.then(x, "softmax")


@operator("Concat")
def _concat(step: Step) -> Map:
    maps = [step.map(index) for index in range(len(step.node.inputs))]
    first = maps[0]
    axis = step.axis(step.attribute("axis"), len(first.axes))
    for other in maps:
        step.require(_alike(first, other, axis), "inputs that do not lie alike, or along other axes than the channels")
    if len(maps) == 1:
        return first
    axes = tuple("C" if index == axis else letters for index, letters in enumerate(first.axes))
    node = step.emit("concat", [each.node for each in maps])
    return replace(first, node=node, channels=sum(each.channels for each in maps), axes=axes)


def _alike(first: Map, other: Map, axis: int) -> bool:
    """Same pixels, same order of the axes, and nothing but channels along the one that grows."""
    if len(other.axes) != len(first.axes) or (other.height, other.width) != (first.height, first.width):
        return False
    others = [index for index in range(len(first.axes)) if index != axis]
    apart = all(first.live(i) == other.live(i) and "C" not in first.live(i) for i in others)
    return apart and all(each.live(axis) in ("C", "") for each in (first, other))


def _require_channels(step: Step, x: Map, axes: Any) -> None:
    letters = "".join(x.live(axis) for axis in axes)
    step.require(letters == "C", f"work along the axes {list(axes)} of {' x '.join(x.axes)}, not along the channels,")


def _require_shape(step: Step, weights: Dict[str, np.ndarray], shape: tuple) -> None:
    wrong: List[str] = [f"{role} {list(tensor.shape)}" for role, tensor in weights.items() if tensor.shape != shape]
    if wrong:
        raise step.fail(f"{', '.join(wrong)} does not fit {shape[0]} channels")
