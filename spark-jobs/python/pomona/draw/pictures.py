# SPDX-License-Identifier: Apache-2.0
"""The set of files.

OUT/Training/<Kind>/<turn>.jpg      two turns of three
OUT/Test/<Kind>/<turn>.jpg          the third, never seen in Training
"""

from pathlib import Path

import numpy as np
from PIL import Image

from pomona import PomonaError
from pomona.draw.kinds import KINDS
from pomona.draw.render import make_fruit, photograph, random_light


def _draw_kind(kind, turns, folder, seed, size):
    generator = np.random.default_rng(seed)
    fruit = make_fruit(kind, generator)
    for number in range(turns):
        angle = 2 * np.pi * number / turns
        pixels = photograph(fruit, kind.skin.gloss, angle, random_light(generator), size, generator)
        part = "Test" if number % 3 == 2 else "Training"
        path = folder / part / kind.name / f"{round(np.degrees(angle)):03d}_{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=92)


def draw_set(folder, count=240, seed=1, size=100):
    """Writes `count` JPEGs, shared out evenly among the kinds; the same arguments give the same bytes."""
    if count < 3 * len(KINDS):
        raise PomonaError(f"{count} images are too few: at least {3 * len(KINDS)}, three of each kind, are needed")
    if size < 16:
        raise PomonaError(f"{size} pixels a side are too few: at least 16 are needed to tell fruit apart")
    folder = Path(folder)
    for number, kind in enumerate(KINDS):
        turns = count // len(KINDS) + (number < count % len(KINDS))
        _draw_kind(kind, turns, folder, (seed, number), size)
    return folder
