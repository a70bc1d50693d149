# SPDX-License-Identifier: Apache-2.0
"""The operators of docs/model-format.md in float64, written to be read: the oracle for every engine."""

import math
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

import numpy as np

from pomona.models import container

Node = Dict[str, Any]
Weights = Dict[str, np.ndarray]


def run(model: Union[str, Path, bytes], rgb: np.ndarray, pooling: str = "avg") -> np.ndarray:
    """Vectors (or maps, for pooling "none") in float64 of pixels uint8 [N, height, width, 3]."""
    graph, tensors = container.read(model if isinstance(model, bytes) else Path(model).read_bytes())
    wanted = (graph["input"]["height"], graph["input"]["width"], graph["input"]["channels"])
    assert rgb.dtype == np.uint8 and rgb.shape[1:] == wanted, f"pixels {rgb.shape}, the model takes {wanted}"
    return np.stack([_pool(_features(graph, tensors, image), pooling) for image in rgb])


def preprocess(rules: Dict[str, Any], rgb: np.ndarray) -> np.ndarray:
    """Bytes to floats in fp32, as the format prescribes, then widened."""
    x = (rgb if rules["channels"] == "rgb" else rgb[..., ::-1]).astype(np.float32)
    divide, subtract, std = (np.asarray(rules[key], np.float32) for key in ("divide", "subtract", "std"))
    return ((x / divide - subtract) / std).astype(np.float64)


def _features(graph: Dict[str, Any], tensors: Weights, image: np.ndarray) -> np.ndarray:
    values = {graph["input"]["name"]: preprocess(graph["preprocess"], image)}
    for node in graph["nodes"]:
        weights = {role: tensors[name].astype(np.float64) for role, name in node.get("weights", {}).items()}
        inputs = [values[name] for name in node["inputs"]]
        values[node["name"]] = OPERATORS[node["op"]](inputs, weights, node.get("attributes", {}))
    return values[graph["outputs"]["features"]]


def _pool(features: np.ndarray, pooling: str) -> np.ndarray:
    return {"avg": lambda: features.mean((0, 1)), "max": lambda: features.max((0, 1)), "none": lambda: features}[
        pooling
    ]()


def conv2d(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    """x [h, w, in], kernel [kh, kw, in / groups, out] -> [oh, ow, out]; each group sees its own slice of channels."""
    kernel, groups = weights["kernel"], attributes.get("groups", 1)
    windows = _windows(inputs[0], kernel.shape[:2], attributes)  # [kh, kw, oh, ow, in]
    parts = [
        np.tensordot(x, k, axes=([0, 1, 4], [0, 1, 2]))
        for x, k in zip(np.split(windows, groups, axis=4), np.split(kernel, groups, axis=3))
    ]
    return np.concatenate(parts, axis=2) + weights.get("bias", 0)


def depthwise_conv2d(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    """x [h, w, c], kernel [kh, kw, c, m] -> [oh, ow, c * m]; output channel c * m + j comes from channel c."""
    kernel = weights["kernel"]
    windows = _windows(inputs[0], kernel.shape[:2], attributes)
    y = np.einsum("ijhwc,ijcm->hwcm", windows, kernel)
    return y.reshape(*y.shape[:2], -1) + weights.get("bias", 0)


def batch_norm(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    deviation = np.sqrt(weights["variance"] + attributes["epsilon"])
    return (inputs[0] - weights["mean"]) / deviation * weights.get("gamma", 1) + weights.get("beta", 0)


def layer_norm(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    centred = inputs[0] - inputs[0].mean(2, keepdims=True)
    deviation = np.sqrt((centred**2).mean(2, keepdims=True) + attributes["epsilon"])
    return centred / deviation * weights.get("gamma", 1) + weights.get("beta", 0)


def affine(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    return inputs[0] * weights.get("scale", 1) + weights.get("shift", 0)


def activation(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    return KINDS[attributes["kind"]](inputs[0], attributes)


KINDS = {
    "relu": lambda x, a: np.maximum(x, 0),
    "relu6": lambda x, a: np.clip(x, 0, 6),
    "clip": lambda x, a: np.clip(x, a["low"], a["high"]),
    "leaky_relu": lambda x, a: np.where(x < 0, a["alpha"] * x, x),
    "sigmoid": lambda x, a: _sigmoid(x),
    "swish": lambda x, a: x * _sigmoid(x),
    "hard_sigmoid": lambda x, a: np.clip(a.get("alpha", 1 / 6) * x + a.get("beta", 0.5), 0, 1),
    "hard_swish": lambda x, a: x * np.clip(x + 3, 0, 6) / 6,
    "gelu": lambda x, a: _gelu_by_tanh(x) if a.get("approximate", False) else _gelu(x),
    "tanh": lambda x, a: np.tanh(x),
}


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))) / 2


def _gelu_by_tanh(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def softmax(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    powers = np.exp(inputs[0] - inputs[0].max(2, keepdims=True))
    return powers / powers.sum(2, keepdims=True)


def zero_pad(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    top, bottom, left, right = attributes["padding"]
    return np.pad(inputs[0], ((top, bottom), (left, right), (0, 0)))


def crop(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    top, bottom, left, right = attributes["cropping"]
    height, width = inputs[0].shape[:2]
    return inputs[0][top : height - bottom, left : width - right]


def add(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    return inputs[0] + _fitting(*inputs)


def multiply(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    return inputs[0] * _fitting(*inputs)


def _fitting(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """b, which has the shape of a or holds one number a channel."""
    assert b.shape in (a.shape, (1, 1, a.shape[2])), f"{b.shape} does not go with {a.shape}"
    return b


def concat(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    return np.concatenate(inputs, axis=2)


def max_pool(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    windows, _ = _pool_windows(inputs[0], attributes)
    return np.nanmax(windows, axis=(0, 1))


def avg_pool(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    windows, padded = _pool_windows(inputs[0], attributes)
    inside = padded if attributes.get("count_padding", False) else ~np.isnan(windows)
    return np.nansum(windows, axis=(0, 1)) / inside.sum((0, 1))


def global_pool(inputs: List[np.ndarray], weights: Weights, attributes: Dict[str, Any]) -> np.ndarray:
    return _pool(inputs[0], attributes["kind"])[None, None]


OPERATORS = {
    operator.__name__: operator
    for operator in (
        *(conv2d, depthwise_conv2d, batch_norm, layer_norm, affine, activation, softmax, zero_pad, crop),
        *(add, multiply, concat, max_pool, avg_pool, global_pool),
    )
}


def _pool_windows(x: np.ndarray, attributes: Dict[str, Any]) -> Tuple[np.ndarray, np.ndarray]:
    """What each window sees, NaN where it looks beside the map, and whether that is the map or its padding: what `ceil`
    adds behind the padding is neither. A window that would begin behind the map and the padding before it is left out.
    """
    size = attributes["pool"]
    strides = attributes.get("strides", size)
    pads = _padding(attributes.get("padding", "valid"), x.shape[:2], size, strides, [1, 1])
    padded = np.pad(x, (*pads, (0, 0)), constant_values=np.nan)
    inside, beyond = np.ones(padded.shape, bool), [(0, 0), (0, 0)]
    if attributes.get("ceil", False):
        for axis, (side, k, s) in enumerate(zip(padded.shape, size, strides)):
            steps = -(-(side - k) // s)
            steps -= steps * s >= x.shape[axis] + pads[axis][0]
            beyond[axis] = (0, max(steps * s + k - side, 0))
    window = {"strides": strides}
    return (
        _windows(np.pad(padded, (*beyond, (0, 0)), constant_values=np.nan), size, window),
        _windows(np.pad(inside, (*beyond, (0, 0))), size, window),
    )


def _windows(x: np.ndarray, size: Tuple[int, int], attributes: Dict[str, Any]) -> np.ndarray:
    """What each tap of the kernel sees: [kh, kw, oh, ow, channels]."""
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    pads = _padding(attributes.get("padding", "valid"), x.shape[:2], size, strides, dilations)
    x = np.pad(x, (*pads, (0, 0)))
    reach = [(k - 1) * d for k, d in zip(size, dilations)]
    out = [(i - r - 1) // s + 1 for i, r, s in zip(x.shape[:2], reach, strides)]

    def tap(row: int, column: int) -> np.ndarray:
        top, left = row * dilations[0], column * dilations[1]
        seen = x[top : top + out[0] * strides[0] : strides[0], left : left + out[1] * strides[1] : strides[1]]
        return seen[: out[0], : out[1]]

    return np.stack([np.stack([tap(row, column) for column in range(size[1])]) for row in range(size[0])])


def _padding(padding, sides, size, strides, dilations) -> List[Tuple[int, int]]:
    if padding == "valid":
        return [(0, 0), (0, 0)]
    if padding == "same":
        totals = [
            max((-(-i // s) - 1) * s + (k - 1) * d + 1 - i, 0) for i, s, k, d in zip(sides, strides, size, dilations)
        ]
        return [(total // 2, total - total // 2) for total in totals]
    top, bottom, left, right = padding
    return [(top, bottom), (left, right)]
