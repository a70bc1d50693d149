# SPDX-License-Identifier: Apache-2.0
"""What each kind of fruit looks like. Neighbours in the table differ little, as they do on a market stall."""

from __future__ import annotations

from dataclasses import dataclass, field

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """Lengths in units of the fruit's radius."""

    height: float = 1.0  # half height
    depth: float = 1.0
    boxiness: float = 1.0  # below 1 broader shoulders, above 1 slimmer ends
    taper: float = 0.0  # above 0 narrower at the stem
    neck: float = 0.0
    dent: float = 0.0
    tip: float = 0.0  # nipples at both ends
    lobes: int = 0
    lobe_depth: float = 0.0
    groove: float = 0.0  # one seam from pole to pole
    bumps: float = 0.004
    bump_frequency: float = 6.0


@dataclass(frozen=True)
class Skin:
    """Colours from 0 to 1; weights say how much of the second colour is mixed in."""

    base: Colour
    blush: Colour
    blush_amount: float = 0.5  # share of the skin that has the second colour
    blush_edge: float = 0.5  # softness of its border
    stripes: int = 0
    stripe_amount: float = 0.0
    pole: Colour | None = None  # round the stem
    spots: Colour | None = None
    spot_amount: float = 0.0
    pores: float = 0.0  # fine relief, as on an orange
    mottle: float = 0.05
    gloss: float = 0.35


@dataclass(frozen=True)
class Kind:
    name: str
    skin: Skin
    shape: Shape = field(default_factory=Shape)
    stem: float = 0.0  # length
    stem_colour: Colour = (0.36, 0.25, 0.13)
    lying: bool = False  # lies on its side


_APPLE = Shape(height=0.9, taper=-0.08, dent=0.22, lobes=5, lobe_depth=0.02)
_CITRUS = Shape(height=0.95, bumps=0.006, bump_frequency=5)
_STONE = Shape(height=0.97, groove=0.07, dent=0.1)

KINDS = (
    Kind("Apple Red", Skin((0.78, 0.10, 0.12), (0.55, 0.03, 0.07), 0.5, 0.6, 24, 0.2, (0.75, 0.55, 0.2), gloss=0.6),
         _APPLE, 0.35),
    Kind("Apple Braeburn", Skin((0.79, 0.16, 0.13), (0.62, 0.06, 0.08), 0.5, 0.6, 28, 0.42, (0.75, 0.57, 0.2),
              gloss=0.55), _APPLE, 0.35),
    Kind("Apple Golden", Skin((0.85, 0.78, 0.30), (0.88, 0.62, 0.30), 0.25, 0.5, 0, 0, (0.6, 0.65, 0.25),
              (0.5, 0.4, 0.2), 0.04), _APPLE, 0.35),
    Kind("Pear", Skin((0.76, 0.74, 0.27), (0.80, 0.66, 0.26), 0.3, 0.5, spots=(0.45, 0.38, 0.15), spot_amount=0.03),
         Shape(height=1.2, neck=0.4, dent=0.06), 0.2),
    Kind("Quince", Skin((0.85, 0.75, 0.22), (0.75, 0.70, 0.25), 0.4, 0.5, mottle=0.09, gloss=0.12),
         Shape(height=1.14, neck=0.34, dent=0.08, bumps=0.02, bump_frequency=3), 0.15),
    Kind("Orange", Skin((0.93, 0.52, 0.08), (0.88, 0.42, 0.06), 0.4, 0.6, pores=0.5), _CITRUS),
    Kind("Clementine", Skin((0.93, 0.51, 0.08), (0.89, 0.45, 0.07), 0.4, 0.6, pores=0.45,
              pole=(0.80, 0.50, 0.1), gloss=0.42),
         Shape(height=0.88, dent=0.04, bumps=0.007, bump_frequency=5)),
    Kind("Lemon", Skin((0.94, 0.84, 0.18), (0.88, 0.80, 0.22), 0.4, 0.6, pores=0.4),
         Shape(height=1.18, boxiness=0.95, tip=0.16), lying=True),
    Kind("Lime", Skin((0.66, 0.72, 0.17), (0.74, 0.76, 0.20), 0.35, 0.6, pores=0.4, gloss=0.4),
         Shape(height=1.14, tip=0.12), lying=True),
    Kind("Peach", Skin((0.92, 0.68, 0.34), (0.76, 0.20, 0.18), 0.45, 0.7, mottle=0.1, gloss=0.05), _STONE),
    Kind("Nectarine", Skin((0.91, 0.64, 0.30), (0.73, 0.17, 0.16), 0.5, 0.6, mottle=0.09, gloss=0.14), _STONE),
    Kind("Apricot", Skin((0.93, 0.66, 0.27), (0.84, 0.40, 0.17), 0.35, 0.65, mottle=0.08, gloss=0.1),
         Shape(height=0.96, depth=0.96, groove=0.08, dent=0.08)),
    Kind("Plum", Skin((0.38, 0.06, 0.16), (0.46, 0.10, 0.18), 0.4, 0.7, mottle=0.1, gloss=0.45),
         Shape(height=1.0, groove=0.05, dent=0.1)),
    Kind("Cherry", Skin((0.42, 0.03, 0.07), (0.56, 0.05, 0.08), 0.4, 0.6, gloss=0.65),
         Shape(height=0.94, dent=0.14, groove=0.03), 0.25,
         (0.42, 0.48, 0.16)),
    Kind("Tomato", Skin((0.82, 0.14, 0.07), (0.86, 0.28, 0.08), 0.4, 0.6, pole=(0.55, 0.35, 0.08), gloss=0.7),
         Shape(height=0.82, dent=0.12, lobes=6, lobe_depth=0.03), 0.12, (0.25, 0.42, 0.12)),
    Kind("Kiwi", Skin((0.45, 0.34, 0.17), (0.36, 0.28, 0.13), 0.4, 0.6,
              spots=(0.25, 0.18, 0.08), spot_amount=0.2, mottle=0.15, gloss=0.03),
         Shape(height=1.2, boxiness=0.9, bumps=0.01), lying=True),
)  # fmt: skip
