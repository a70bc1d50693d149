# SPDX-License-Identifier: Apache-2.0
"""What the function of an ONNX operator works with, and the table that it joins."""

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from pomona.models import ModelError
from pomona.models.graph import GraphBuilder
from pomona.models.onnx_files import Network, Node
from pomona.models.onnx_maps import NCHW, Map

Convert = Callable[["Step"], Map]
OPERATORS: Dict[str, Convert] = {}


def operator(*names: str) -> Callable[[Convert], Convert]:
    def register(function: Convert) -> Convert:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


@dataclass
class State:
    """The conversion so far. Every tensor that was met is either constant or a map; `pooled` names those of several
    pixels that were made one pixel, in order."""

    network: Network
    graph: GraphBuilder
    constants: Dict[str, np.ndarray]
    maps: Dict[str, Map] = field(default_factory=dict)
    producers: Dict[str, Node] = field(default_factory=dict)
    pooled: List[str] = field(default_factory=list)


class Step:
    """One node of the ONNX graph in the hands of its operator's function, which returns the map that it makes."""

    def __init__(self, node: Node, state: State):
        self.node, self.state, self.opset = node, state, state.network.opset
        self._emitted = 0

    def fail(self, what: str) -> ModelError:
        return ModelError(f"{self.node}: {what}; its inputs: {', '.join(map(self._describe, self.node.inputs))}")

    def require(self, condition: bool, what: str) -> None:
        if not condition:
            raise self.fail(f"{what} is not supported")

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.node.attributes.get(name, default)

    def has(self, index: int) -> bool:
        return index < len(self.node.inputs) and bool(self.node.inputs[index])

    def any_map(self, index: int = 0) -> Map:
        """An input that may also be part of a formula."""
        if not self.has(index) or self.node.inputs[index] not in self.state.maps:
            raise self.fail(f"input {index} is constant or missing")
        return self.state.maps[self.node.inputs[index]]

    def map(self, index: int = 0) -> Map:
        """An input that has a node."""
        return self.any_map(index).with_node()

    def image(self, index: int = 0) -> Map:
        """An input whose axes are batch, channels, height, width."""
        found = self.map(index)
        self.require(found.lies_as(NCHW), f"an input with the axes {' x '.join(found.axes)} instead of N x C x H x W")
        return found

    def constant(self, index: int) -> Optional[np.ndarray]:
        """An input that must be constant, or None where it is left out."""
        if not self.has(index):
            return None
        name = self.node.inputs[index]
        self.require(name in self.state.constants, f"input {index} ({name}) that is no constant")
        return self.state.constants[name]

    def weight(self, index: int) -> np.ndarray:
        found = self.constant(index)
        if found is None:
            raise self.fail(f"input {index} is missing")
        return found.astype(np.float64)

    def numbers(self, attribute: str, index: int) -> Optional[List[int]]:
        """Whole numbers that older opsets have as an attribute and newer ones as an input."""
        found = self.constant(index)
        if found is None:
            found = self.attribute(attribute)
        return None if found is None else [int(number) for number in np.ravel(found)]

    def axis(self, number: int, rank: int) -> int:
        self.require(-rank <= number < rank, f"axis {number} of {rank}")
        return number % rank

    def emit(
        self, op: str, inputs: Sequence[str], weights: Optional[Dict[str, np.ndarray]] = None, **attributes: Any
    ) -> str:
        """Adds a node under the name of the ONNX node, and the further ones of the same ONNX node under a number."""
        name = f"{self.node.name}/{self._emitted + 1}" if self._emitted else self.node.name
        self._emitted += 1
        if weights:  # kernels as they will be written, not twice as large
            weights = {role: x if np.ndim(x) < 2 else x.astype(np.float32) for role, x in weights.items()}
        return self.state.graph.node(op, name, inputs, weights, **attributes)

    def then(self, source: Map, op: str, weights: Optional[Dict[str, np.ndarray]] = None, **attributes: Any) -> Map:
        """A node that leaves the map's sides as they are."""
        return replace(source, node=self.emit(op, [source.node], weights, **attributes))

    def lose(self, result: Map) -> Map:
        """The tensor has no node of ours: what follows may still make a formula of it that has."""
        return replace(result, node="", lost=result.lost or str(self.node))

    def _describe(self, name: str) -> str:
        if name in self.state.maps:
            found = self.state.maps[name]
            return f"{name} {list(found.shape)}" + (f" of {found.node}" if found.node else "")
        return f"{name} constant {list(self.state.constants[name].shape)}" if name in self.state.constants else "none"
