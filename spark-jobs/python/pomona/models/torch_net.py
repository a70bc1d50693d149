# SPDX-License-Identifier: Apache-2.0
"""Layers of PyTorch networks, with their tensors from a state dict, as nodes of our graph.

PyTorch keeps kernels as [out][in / groups][kh][kw] and pads by the same number on both sides.
"""

from typing import Any, Dict, Optional, Sequence, Union

import numpy as np

from pomona.models import ModelError
from pomona.models.graph import INPUT, GraphBuilder

State = Dict[str, np.ndarray]
_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}


class TorchNet:
    """A graph under construction. `padding` is a number for all sides, or "same" for TensorFlow's."""

    def __init__(self, name: str, input_size: int, preprocess: str, state: State, epsilon: float):
        self._graph = GraphBuilder(name, input_size, preprocess)
        self._state, self._epsilon = state, epsilon
        self._used = {key for key in state if key.endswith(".num_batches_tracked")}
        self._channels = {INPUT: 3}

    def channels(self, x: str) -> int:
        return self._channels[x]

    def conv(
        self,
        x: str,
        name: str,
        source: str,
        kernel: int,
        filters: int,
        stride: int = 1,
        padding: Any = 0,
        bias: bool = False,
        groups: int = 1,
    ) -> str:
        weight = self._take(f"{source}.weight", (filters, self._channels[x] // groups, kernel, kernel))
        weights = {"kernel": weight.transpose(2, 3, 1, 0)}  # [out][in][kh][kw] -> [kh][kw][in][out]
        if bias:
            weights["bias"] = self._take(f"{source}.bias", (filters,))
        grouped = {"groups": groups} if groups > 1 else {}
        y = self._graph.node("conv2d", name, x, weights, **_window(stride, padding), **grouped)
        return self._has(y, filters)

    def depthwise(self, x: str, name: str, source: str, kernel: int, stride: int = 1, padding: Any = 0) -> str:
        weight = self._take(f"{source}.weight", (self._channels[x], 1, kernel, kernel))
        weights = {"kernel": weight.transpose(2, 3, 0, 1)}  # [c][1][kh][kw] -> [kh][kw][c][1]
        y = self._graph.node("depthwise_conv2d", name, x, weights, **_window(stride, padding))
        return self._has(y, self._channels[x])

    def norm(self, x: str, source: str) -> str:
        channels = self._channels[x]
        weights = {role: self._take(f"{source}.{key}", (channels,)) for role, key in _NORM.items()}
        return self._has(self._graph.node("batch_norm", f"{x}_bn", x, weights, epsilon=self._epsilon), channels)

    def act(self, x: str, kind: str) -> str:
        name = f"{x[:-3] if x.endswith('_bn') else x}_{kind}"  # of the layer, with its norm or without
        return self._has(self._graph.node("activation", name, x, kind=kind), self._channels[x])

    def add(self, name: str, a: str, b: str) -> str:
        return self._has(self._graph.node("add", name, [a, b]), self._channels[a])

    def concat(self, name: str, inputs: Sequence[str]) -> str:
        return self._has(self._graph.node("concat", name, inputs), sum(self._channels[x] for x in inputs))

    def max_pool(self, x: str, name: str, kernel: int, stride: int, padding: int = 0, ceil: bool = False) -> str:
        attributes = {"pool": [kernel, kernel], **_window(stride, padding), **({"ceil": True} if ceil else {})}
        return self._has(self._graph.node("max_pool", name, x, **attributes), self._channels[x])

    def average(self, x: str, name: str = "average") -> str:
        return self._has(self._graph.node("global_pool", name, x, kind="avg"), self._channels[x])

    def gate(self, x: str, source: str, squeeze: int) -> str:
        """Squeeze-and-excite: each channel by a number from 0 to 1 that depends on all channels' means."""
        y = self.average(x, f"{source}.avgpool")
        y = self.act(self.conv(y, f"{source}.fc1", f"{source}.fc1", 1, squeeze, bias=True), "relu")
        y = self.act(self.conv(y, f"{source}.fc2", f"{source}.fc2", 1, self._channels[x], bias=True), "sigmoid")
        return self._has(self._graph.node("multiply", source, [x, y]), self._channels[x])

    def dense(self, x: str, source: str, classes: int) -> str:
        """Of a 1 x 1 map."""
        weight = self._take(f"{source}.weight", (classes, self._channels[x]))
        weights = {"kernel": weight.T[None, None], "bias": self._take(f"{source}.bias", (classes,))}
        return self._has(self._graph.node("conv2d", "logits", x, weights), classes)

    def softmax(self, x: str) -> str:
        return self._has(self._graph.node("softmax", "probabilities", x), self._channels[x])

    def leave(self, source: str) -> None:
        """The tensors of a layer that the wanted output does not need."""
        self._used |= {key for key in self._state if key.startswith(f"{source}.")}

    def finish(self, output: str, provenance: Dict[str, Any], classes: Optional[Sequence[str]]) -> bytes:
        left = sorted(set(self._state) - self._used)
        if left:
            raise ModelError(f"weights: {len(left)} tensors belong to no layer, such as {left[0]}: another variant?")
        return self._graph.finish(output, provenance, classes)

    def _take(self, key: str, shape: tuple) -> np.ndarray:
        tensor = self._state.get(key)
        if tensor is None or tensor.shape != shape:
            found = "missing" if tensor is None else f"of shape {tensor.shape}"
            raise ModelError(f"weights: {key} is {found}, expected {shape}; are they of another variant?")
        self._used.add(key)
        return tensor

    def _has(self, x: str, channels: int) -> str:
        self._channels[x] = channels
        return x


def _window(stride: int, padding: Union[int, str]) -> Dict[str, Any]:
    return {"strides": [stride, stride], "padding": padding if padding == "same" else [padding] * 4}
