# SPDX-License-Identifier: Apache-2.0
"""Recognises activations and LayerNormalization that an exporter has spelled out in arithmetic.

Exporters write GELU, swish or a normalisation in many ways, so they are known by what they compute: the operators
between a map x and the result are evaluated in float64 on a few random pixels of x, and compared with the functions
that the format has.
"""

import math
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, Optional, Set

import numpy as np

from pomona.models.onnx_files import Node
from pomona.models.onnx_maps import Map
from pomona.models.onnx_step import Step

_PIXELS = 16
_LONGEST = 24  # tensors between x and the result; the longest spelling of a LayerNormalization has 14
# Half-precision constants give GELU 3e-5 off; its approximation by tanh differs from it by 5e-4.
_TOLERANCE = 1e-4
_erf = np.vectorize(math.erf, otypes=[float])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _clip(x: np.ndarray, low: Any = None, high: Any = None) -> np.ndarray:
    return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high)


def _hard_sigmoid(x: np.ndarray, alpha: float = 0.2, beta: float = 0.5) -> np.ndarray:
    return np.clip(alpha * x + beta, 0, 1)


_ACTIVATIONS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "swish": lambda x: x * _sigmoid(x),
    "hard_swish": lambda x: x * _hard_sigmoid(x, 1 / 6),
    "hard_sigmoid": lambda x: _hard_sigmoid(x, 1 / 6),
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
}
_NONLINEAR = frozenset("Erf Tanh Sigmoid HardSigmoid Clip Min Relu Exp Pow".split())

# Operators over [pixels, channels] or [pixels, 1]; those that only move axes leave the numbers alone.
_SAME = frozenset("Identity Dropout Cast Transpose Reshape Squeeze Unsqueeze Flatten Expand".split())
_FUNCTIONS: Dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Min": np.minimum,
    "Max": np.maximum,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Exp": np.exp,
    "Erf": _erf,
    "Tanh": np.tanh,
    "Sigmoid": _sigmoid,
    "Relu": lambda x: np.maximum(x, 0),
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "ReduceMean": lambda x: x.mean(axis=1, keepdims=True),
}


class _Unknown(Exception):
    """The result does not depend on x alone, or by an operator that is not evaluated here."""


def recognize(step: Step, result: Map) -> Optional[Map]:
    """The result of this node as one operator of ours on an earlier map, or None."""
    formula = _Formula(step, result)
    for tensor in formula.candidates():
        try:
            found = formula.as_activation(tensor) or formula.as_layer_norm(tensor)
        except _Unknown:
            continue
        if found:
            return found
    return None


class _Formula:
    """What leads to the output of one node. `result` says how that output lies."""

    def __init__(self, step: Step, result: Map):
        self.step, self.result, self.state = step, result, step.state
        self._scalars: Set[float] = set()

    def candidates(self) -> Iterator[str]:
        """The tensors nearby that could be x, the nearest first."""
        waiting, seen, nodes = [self.step.node], set(), []
        while waiting and len(seen) < _LONGEST:
            node = waiting.pop(0)
            nodes.append(node)
            for tensor in node.inputs:
                if tensor in self.state.maps and tensor not in seen:
                    seen.add(tensor)
                    producer = self.state.producers.get(tensor)
                    if producer and (producer.op in _FUNCTIONS or producer.op in _SAME):
                        waiting.append(producer)
        if not any(node.op in _NONLINEAR or node.op == "ReduceMean" for node in nodes):
            return iter(())
        return (tensor for tensor in self._in_order(nodes) if self._may_be_x(tensor))

    def as_activation(self, tensor: str) -> Optional[Map]:
        x = 3 * np.random.RandomState(0).standard_normal((_PIXELS, self.result.channels))
        y = self._evaluate(tensor, x)
        for kind, function in _ACTIVATIONS.items():
            if np.allclose(y, function(x), rtol=0, atol=_TOLERANCE):
                word, *approximate = kind.split()
                attributes = {"kind": word, "approximate": True} if approximate else {"kind": word}
                return self._found(tensor, "activation", {}, attributes)
        return None

    def as_layer_norm(self, tensor: str) -> Optional[Map]:
        """gamma and beta follow from two pixels; epsilon is one of the formula's scalars, told by quiet pixels."""
        channels = self.result.channels
        beta = self._evaluate(tensor, np.zeros((1, channels)))[0]
        loud = 1e3 * (np.arange(channels) % 2 * 2 - 1) * (2 + np.arange(channels) / channels)
        x = np.random.RandomState(0).standard_normal((_PIXELS, channels)) * np.logspace(-4, 1, _PIXELS)[:, None]
        y, loud_y = self._evaluate(tensor, x), self._evaluate(tensor, loud[None])[0]
        for epsilon in sorted(scalar for scalar in self._scalars if 0 < scalar < 0.1):
            gamma = (loud_y - beta) / _normalized(loud[None], epsilon)[0]
            expected = _normalized(x, epsilon) * gamma + beta
            if channels > 1 and np.allclose(y, expected, rtol=0, atol=1e-6 * np.abs(expected).max()):
                plain = np.allclose(gamma, 1, atol=1e-9) and not beta.any()
                weights = {} if plain else {"gamma": gamma, "beta": beta}
                return self._found(tensor, "layer_norm", weights, {"epsilon": epsilon})
        return None

    def _found(self, tensor: str, op: str, weights: Dict[str, np.ndarray], attributes: Dict[str, Any]) -> Map:
        node = self.step.emit(op, [self.state.maps[tensor].node], weights, **attributes)
        return replace(self.result, node=node, lost="")

    def _in_order(self, nodes: List[Node]) -> List[str]:
        return list(dict.fromkeys(tensor for node in nodes for tensor in node.inputs))

    def _may_be_x(self, tensor: str) -> bool:
        found = self.state.maps.get(tensor)
        return found is not None and not found.lost and found.sides == self.result.sides

    def _evaluate(self, tensor: str, x: np.ndarray) -> np.ndarray:
        self._left = _LONGEST
        with np.errstate(all="ignore"):
            return np.broadcast_to(self._node(self.step.node, {tensor: x}), x.shape)

    def _node(self, node: Node, known: Dict[str, np.ndarray]) -> np.ndarray:
        self._left -= 1
        if self._left < 0:
            raise _Unknown
        if node.op in _SAME:
            return self._tensor(node.inputs[0], known)
        if node.op not in _FUNCTIONS or (node.op == "ReduceMean" and not self._over_channels(node)):
            raise _Unknown
        names = node.inputs[:1] if node.op == "ReduceMean" else node.inputs
        operands = [self._operand(node, name, known) if name else None for name in names]
        keywords = {name: node.attributes[name] for name in ("alpha", "beta") if name in node.attributes}
        return _FUNCTIONS[node.op](*operands, **keywords)

    def _tensor(self, name: str, known: Dict[str, np.ndarray]) -> np.ndarray:
        if name not in known:
            if name not in self.state.producers:
                raise _Unknown
            known[name] = self._node(self.state.producers[name], known)
        return known[name]

    def _operand(self, node: Node, name: str, known: Dict[str, np.ndarray]) -> Any:
        constant = self.state.constants.get(name)
        if constant is None:
            return self._tensor(name, known)
        if constant.size == 1:
            self._scalars.add(constant.item())
            return constant.item()
        lies = self.result if node is self.step.node else self.state.maps[node.outputs[0]]
        vector = lies.by_channel(constant.astype(np.float64))
        if vector is None:
            raise _Unknown
        return vector

    def _over_channels(self, node: Node) -> bool:
        lies = self.state.maps[node.outputs[0]]
        return bool(lies.lost) and lies.channels == 1


def _normalized(x: np.ndarray, epsilon: float) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + epsilon)
