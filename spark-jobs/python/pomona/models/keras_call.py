# SPDX-License-Identifier: Apache-2.0
"""What the function of a Keras layer class works with: one use of the layer, and the table that it joins."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Set, Tuple, Union

import numpy as np

from pomona.models import ModelError
from pomona.models.graph import GraphBuilder

Shape = Tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A Keras tensor in our graph: the node, its map (height, width, channels), and the shape that Keras gives it,
    without the batch. Both hold the same numbers in the same order, so that Flatten and Reshape need no node."""

    node: str
    map: Shape
    shape: Shape


@dataclass(frozen=True)
class Use:
    """One use of a layer. `name` is its path through nested models; `sources` name what it reads."""

    layer: Any
    name: str
    sources: List[str]
    shape: Shape
    arguments: Tuple[Tuple[Any, ...], Dict[str, Any]] = ((), {})


class Call:
    """What the function of a layer class gets: the layer, what it reads, and the name and shape of what it makes."""

    def __init__(self, use: Use, inputs: List[Value], taken: Set[str]):
        self.layer, self.name, self.shape, self.arguments = use.layer, use.name, use.shape, use.arguments
        self.inputs = inputs
        self._taken = taken

    def require(self, condition: bool, what: str) -> None:
        if not condition:
            raise ModelError(f"layer {self.name}: {class_name(self.layer)} with {what} is not supported")

    def map(self, index: int = 0) -> str:
        """The node of an input whose shape is that of a map, or of a map of one pixel."""
        value = self.inputs[index]
        seen = (1, 1, *value.shape) if len(value.shape) == 1 else value.shape
        self.require(seen == value.map, f"an input of {sides(value.map)} reshaped to {sides(value.shape)}")
        return value.node

    def maps(self) -> List[str]:
        return [self.map(index) for index in range(len(self.inputs))]

    @property
    def channels(self) -> int:
        return self.inputs[0].map[2]

    def constant(self) -> Tuple[int, np.ndarray]:
        """Place and value of the number that an operation takes beside the one map."""
        args, kwargs = self.arguments
        for place, value in enumerate([*args, *kwargs.values()]):
            if not hasattr(value, "_keras_history"):
                return place, np.asarray(value, np.float64)
        raise ModelError(f"layer {self.name}: {class_name(self.layer)} of one input and no number is not supported")

    def view(self) -> Value:
        """The first input itself: a layer that changes nothing but, perhaps, the shape."""
        return Value(self.inputs[0].node, self.inputs[0].map, self.shape)

    def alike(self, node: str) -> Value:
        """A node that works number by number, so that it may also read what is reshaped."""
        return Value(node, self.inputs[0].map, self.shape)

    def behind(self, layer: Any, node: str) -> "Call":
        """The call of a layer that stands as an argument of this one and reads its node."""
        value = Value(node, as_map(self.name, self.shape), self.shape)
        use = Use(layer, self.extra(layer.name), [], self.shape)
        return Call(use, [value], self._taken)

    def extra(self, suffix: str) -> str:
        """A name for one more node of this layer."""
        return free_name(f"{self.name}_{suffix}", self._taken)


Convert = Callable[[Call, GraphBuilder], Union[str, Value]]
LAYERS: Dict[str, Convert] = {}


def layer(*class_names: str) -> Callable[[Convert], Convert]:
    """Registers the function of layer classes; `ops.X` is an operation of keras.ops in a functional model."""

    def register(function: Convert) -> Convert:
        LAYERS.update(dict.fromkeys(class_names, function))
        return function

    return register


def class_name(operation: Any) -> str:
    """`Conv2D`, `ops.Add` for an operation of keras.ops, and with its module what is not Keras's own."""
    module, name = type(operation).__module__, type(operation).__name__
    if not module.startswith("keras."):
        return f"{module}.{name}"
    return f"ops.{name}" if ".ops." in module else name


def supported() -> str:
    return ", ".join(sorted(LAYERS))


def inner_model(operation: Any) -> Any:
    """The functional model that this layer is, or None."""
    from keras.src.models.functional import Functional

    inner = getattr(operation, "_functional", None) or operation  # a Sequential holds one
    return inner if isinstance(inner, Functional) and type(inner).call is Functional.call else None


def array(variable: Any) -> np.ndarray:
    """The value of a Keras variable in fp32."""
    from keras import ops

    return np.asarray(ops.convert_to_numpy(variable), np.float32)


def as_map(name: str, shape: Shape) -> Shape:
    """The map of what a layer gives: a vector is one pixel."""
    found = (1, 1, *shape) if len(shape) == 1 else shape
    if len(found) != 3:
        raise ModelError(f"layer {name}: gives {sides(shape)}; only maps and vectors are supported")
    return found


def sides(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def free_name(name: str, taken: Set[str]) -> str:
    """The name, or name_2, name_3, ... when it is taken; it is so from now on."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found
