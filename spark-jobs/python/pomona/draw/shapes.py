# SPDX-License-Identifier: Apache-2.0
"""Fruit bodies as clouds of surface points: position, outward normal, colour."""

from dataclasses import dataclass

import numpy as np

# About one point a pixel on a fruit that fills 200 pixels: its equator is 2 pi x 95 pixels long. The renderer closes
# the gaps between points.
LATITUDES, LONGITUDES = 260, 520


@dataclass(frozen=True)
class Surface:
    """Points on the skin; every array has one row a point."""

    points: np.ndarray  # [n, 3], y upwards
    normals: np.ndarray  # [n, 3], unit length
    colours: np.ndarray  # [n, 3], 0 to 1

    def rotated(self, matrix):
        """The same skin after a rotation."""
        turn = matrix.T.astype(np.float32)
        return Surface(self.points @ turn, self.normals @ turn, self.colours)


def rotation(axis, angle):
    """Rotation by `angle` radians about the x, y or z axis."""
    c, s = np.cos(angle), np.sin(angle)
    a, b = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = c
    matrix[b, a], matrix[a, b] = s, -s
    return matrix


def join(surfaces):
    """Several surfaces as one."""
    return Surface(*(np.concatenate([getattr(s, part) for s in surfaces]) for part in ("points", "normals", "colours")))


def noise(points, frequency, generator, waves=16):
    """Smooth noise in space, about -1 to 1: plane waves in random directions."""
    directions = generator.normal(size=(3, waves)).astype(np.float32) * np.float32(frequency)
    phases = generator.uniform(0, 2 * np.pi, waves).astype(np.float32)
    return np.cos(points @ directions + phases).sum(axis=1) * np.float32(np.sqrt(2 / waves) / 2)


def angles():
    """Colatitude (0 at the stem) and longitude of every point of a body, at the middles of the grid's cells."""
    t = (np.arange(LATITUDES) + 0.5) / LATITUDES * np.pi
    p = (np.arange(LONGITUDES) + 0.5) / LONGITUDES * 2 * np.pi
    return np.meshgrid(t.astype(np.float32), p.astype(np.float32), indexing="ij")


def sheet_normals(grid):
    """Outward normals [n, 3] of a closed sheet of points [rows, columns, 3]."""
    down = np.gradient(grid, axis=0)
    round_ = np.gradient(np.concatenate([grid[:, -1:], grid, grid[:, :1]], axis=1), axis=1)[:, 1:-1]
    normals = np.cross(round_, down).reshape(-1, 3)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def body(shape, generator):
    """Points and normals of a fruit, [n, 3] each, from its Shape (kinds.py)."""
    t, p = angles()
    up, ring = np.cos(t), np.sin(t)
    radius = ring**shape.boxiness * (1 - shape.neck / (1 + np.exp(-7 * (up - 0.25)))) * (1 - shape.taper * up)
    radius = radius * (1 + shape.lobe_depth * np.cos(shape.lobes * p) * ring)
    radius = radius * (1 - shape.groove * np.exp(-(((p - np.pi) / 0.16) ** 2)) * ring)
    pole = np.exp(-((ring / 0.32) ** 2))
    y = shape.height * up + pole * np.where(up > 0, shape.tip - shape.dent, shape.dent * 0.7 - shape.tip)
    grid = np.stack([radius * np.cos(p), y, radius * np.sin(p) * shape.depth], axis=-1).astype(np.float32)
    rough = 1 + np.float32(shape.bumps) * noise(grid.reshape(-1, 3), shape.bump_frequency, generator)
    grid *= rough.reshape(LATITUDES, LONGITUDES, 1)
    return grid.reshape(-1, 3), sheet_normals(grid)


def stem(length, thickness, base, colour):
    """A bent stem that stands on height `base`."""
    u, p = np.meshgrid(np.linspace(0, 1, 80, dtype=np.float32), angles()[1][0, ::6], indexing="ij")
    bend = 0.25 * length * (1 - u) ** 2
    width = thickness * (1 + 0.5 * (1 - u) ** 4)
    grid = np.stack([width * np.cos(p) - bend, base + length * (1 - u) - 0.04, width * np.sin(p)], axis=-1)
    points = grid.reshape(-1, 3)
    return Surface(points, sheet_normals(grid), np.tile(np.float32(colour), (len(points), 1)))
