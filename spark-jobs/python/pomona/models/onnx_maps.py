# SPDX-License-Identifier: Apache-2.0
"""ONNX tensors seen as maps of ours: which axis runs over what, whatever Transpose and Reshape have done to them."""

import math
from dataclasses import dataclass, replace
from typing import List, Optional, Sequence, Tuple

import numpy as np

from pomona.models import ModelError

NCHW = ("N", "C", "H", "W")
NHWC = ("N", "H", "W", "C")
_MAX_SIDE = 1 << 20  # far beyond any network, and small enough to fill with a scalar


@dataclass(frozen=True)
class Map:
    """A tensor of the ONNX graph, as the output of a node of ours, which is height x width x channels.

    `axes` says for each axis of ONNX's shape over which letters it runs, slowest first: ("N", "C", "H", "W") at the
    start, ("N", "H", "W", "C") behind a Transpose, ("N", "CHW") behind a Flatten. So both of those are names for the
    same node. `lost` tells which operator has no node in our format; such a tensor may only be part of a formula that
    is recognised as a whole.
    """

    node: str
    batch: int
    height: int
    width: int
    channels: int
    axes: Tuple[str, ...] = NCHW
    lost: str = ""

    def __post_init__(self) -> None:
        if not all(1 <= side <= _MAX_SIDE for side in (self.batch, *self.sides)):
            raise ModelError(f"a map of {self.height} x {self.width} x {self.channels} is empty or too large")

    @property
    def sides(self) -> Tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def shape(self) -> Tuple[int, ...]:
        """ONNX's shape."""
        return tuple(self._product(axis) for axis in self.axes)

    def size(self, letter: str) -> int:
        return {"N": self.batch, "H": self.height, "W": self.width, "C": self.channels}[letter]

    def live(self, axis: int) -> str:
        """The letters of an axis that matter: those of one element may stand anywhere. The batch always matters."""
        return "".join(letter for letter in self.axes[axis] if letter == "N" or self.size(letter) > 1)

    def with_node(self) -> "Map":
        """Itself, if it has a node."""
        if self.lost:
            raise ModelError(f"{self.lost} is supported as part of GELU, swish and LayerNormalization alone")
        return self

    def lies_as(self, axes: Sequence[str]) -> bool:
        other = replace(self, axes=tuple(axes))
        return len(self.axes) == len(axes) and all(self.live(i) == other.live(i) for i in range(len(axes)))

    def by_channel(self, constant: np.ndarray) -> Optional[np.ndarray]:
        """A constant that ONNX broadcasts over this tensor, as one number a channel; None where it varies otherwise."""
        if constant.size == 1:
            return np.full(self.channels, constant.item())
        shape = constant.shape[-len(self.axes) :] if self.axes else ()
        letters = [self.live(axis) for axis in range(len(self.axes) - len(shape), len(self.axes))]
        wide = [letter for letter, side in zip(letters, shape) if side > 1]
        return constant.ravel() if wide == ["C"] and constant.size == self.channels else None

    def reshaped(self, shape: Sequence[int]) -> "Map":
        """The same numbers in the same order under another shape, without -1 or 0."""
        rest = [letter for axis in range(len(self.axes)) for letter in self.live(axis)]
        axes = tuple(self._take(rest, side) for side in shape)
        if rest:
            raise ModelError(f"{list(self.shape)} does not fill {list(shape)}")
        return replace(self, axes=axes)

    def _take(self, rest: List[str], side: int) -> str:
        """The next letters whose product is a side of the new shape."""
        taken = ""
        while rest and (rest[0] == "N" or self._product(taken) < side):
            taken += rest.pop(0)
        if self._product(taken) != side:
            raise ModelError(f"a Reshape of {list(self.shape)} that cuts through an axis is not supported")
        return taken

    def _product(self, axis: str) -> int:
        return math.prod(map(self.size, axis))
