# SPDX-License-Identifier: Apache-2.0
"""From a kind of fruit to a picture: paint the body once, then turn, light and photograph it."""

from dataclasses import dataclass

import numpy as np

from pomona.draw.shapes import Surface, angles, body, join, noise, rotation, stem

_OVERSAMPLING = 2  # drawn twice as large, so that edges come out smooth
_VIEW = np.array([0, 0, 1], np.float32)


@dataclass(frozen=True)
class Light:
    """One exposure: where the lamp stands, what it weighs, what the camera makes of it."""

    direction: np.ndarray  # unit vector towards the lamp
    ambient: float
    exposure: float
    balance: np.ndarray  # gain of red, green, blue
    scale: float  # share of the frame that the fruit fills
    elevation: float  # radians that the camera looks down
    grain: float  # noise of the sensor, in grey levels


def random_light(generator):
    """A lamp somewhere on the camera's side, and a camera that is not quite steady."""
    azimuth, height = generator.uniform(-1.2, 1.2), generator.uniform(0.2, 1.2)
    direction = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
    return Light(
        direction=direction.astype(np.float32),
        ambient=generator.uniform(0.3, 0.6),
        exposure=generator.uniform(0.7, 1.15),
        balance=1 + generator.normal(0, 0.062, 3).astype(np.float32),
        scale=generator.uniform(0.86, 0.98),
        elevation=generator.uniform(0.1, 0.45),
        grain=generator.uniform(1, 4),
    )


def _mix(colours, other, weight):
    return colours + (np.float32(other) - colours) * np.clip(weight, 0, 1)[:, None].astype(np.float32)


def _paint(skin, points, generator):
    """Colours [n, 3] of a skin at the points of its body."""
    t, p = (a.ravel() for a in angles())
    side = points @ generator.normal(0, 1, 3).astype(np.float32) / 2
    patch = side + noise(points, 2.5, generator)
    colours = np.tile(np.float32(skin.base), (len(points), 1))
    threshold = np.quantile(patch, 1 - skin.blush_amount)
    colours = _mix(colours, skin.blush, 0.5 + (patch - threshold) / (2 * skin.blush_edge))
    if skin.stripes:
        streak = np.cos(skin.stripes * p + 3 * noise(points, 3, generator)) * noise(points, 5, generator)
        colours = _mix(colours, skin.blush, skin.stripe_amount * (0.5 + 2 * streak) * np.sin(t))
    if skin.pole:
        colours = _mix(colours, skin.pole, np.where(t < 1.6, np.exp(-((np.sin(t) / 0.3) ** 2)), 0) * 0.8)
    if skin.spots:
        grain = noise(points, 28, generator)
        colours = _mix(colours, skin.spots, 4 * (grain - np.quantile(grain, 1 - skin.spot_amount)))
    return colours * (1 + skin.mottle * noise(points, 9, generator))[:, None]


def make_fruit(kind, generator):
    """The fruit of a kind as a Surface, centred, its greatest distance from the centre 1."""
    points, normals = body(kind.shape, generator)
    colours = _paint(kind.skin, points, generator)
    if kind.skin.pores:
        normals = normals + 0.3 * kind.skin.pores * np.stack([noise(points, 40, generator) for _ in range(3)], axis=1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    parts = [Surface(points, normals, colours)]
    if kind.stem:
        top = kind.shape.height + kind.shape.tip - kind.shape.dent
        parts.append(stem(kind.stem, 0.045, top, kind.stem_colour))
    fruit = join(parts)
    if kind.lying:
        fruit = fruit.rotated(rotation("z", np.pi / 2 - 0.1))
    centred = fruit.points - (fruit.points.max(axis=0) + fruit.points.min(axis=0)) / 2
    return Surface(centred.astype(np.float32), fruit.normals.astype(np.float32), fruit.colours.astype(np.float32))


def _visible(points, normals, resolution):
    """Pixel numbers and the front-most point of each, for points whose x and y are in pixels from the centre."""
    front = np.flatnonzero(normals[:, 2] > -0.05)
    front = front[np.argsort(points[front, 2])]
    columns = np.clip(points[front, 0] + resolution / 2, 0, resolution - 1).astype(np.int32)
    rows = np.clip(resolution / 2 - points[front, 1], 0, resolution - 1).astype(np.int32)
    nearest = np.full(resolution * resolution, -1, np.int64)
    nearest[rows * resolution + columns] = front  # in order of depth: the last one written lies in front
    nearest = _close_gaps(nearest.reshape(resolution, resolution)).ravel()
    pixels = np.flatnonzero(nearest >= 0)
    return pixels, nearest[pixels]


def _beside(nearest, axis, step):
    """The first painted pixel among the next two in one direction, -1 if neither is."""
    first = np.roll(nearest, step, axis)
    return np.where(first >= 0, first, np.roll(nearest, 2 * step, axis))


def _close_gaps(nearest):
    """Fills an empty pixel that has painted ones on opposite sides."""
    for axis in (0, 1):
        before, after = _beside(nearest, axis, 1), _beside(nearest, axis, -1)
        nearest = np.where((nearest < 0) & (before >= 0) & (after >= 0), before, nearest)
    return nearest


def _shade(normals, colours, gloss, light):
    """Diffuse light with a soft terminator, and a highlight."""
    facing = normals @ light.direction
    diffuse = light.ambient + (1 - light.ambient) * np.clip((facing + 0.25) / 1.25, 0, 1)
    half = light.direction + _VIEW
    highlight = np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** 40 * gloss
    return (colours * diffuse[:, None] + highlight[:, None] * 0.6) * light.exposure * light.balance


def photograph(fruit, gloss, turn, light, size, generator):
    """The fruit turned by `turn` radians, as uint8 pixels [size, size, 3] on white."""
    resolution = size * _OVERSAMPLING
    seen = fruit.rotated(rotation("x", light.elevation) @ rotation("y", turn))
    reach = np.abs(seen.points[:, :2]).max()
    points = seen.points * np.float32(light.scale * resolution / 2 / reach)
    pixels, nearest = _visible(points, seen.normals, resolution)
    image = np.full((resolution * resolution, 3), 255, np.float32)
    image[pixels] = _shade(seen.normals[nearest], seen.colours[nearest], gloss, light) * 255
    image = np.clip(image, 0, 255).reshape(size, _OVERSAMPLING, size, _OVERSAMPLING, 3).mean(axis=(1, 3))
    fruity = (image.min(axis=2) < 250)[:, :, None]
    image += generator.normal(0, light.grain, image.shape) * fruity
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
