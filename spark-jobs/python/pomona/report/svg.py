# SPDX-License-Identifier: Apache-2.0
"""A small chart of two linear axes as inline SVG. Colours come from the page's style sheet."""

import math
from html import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 14, 12, 44


def ticks(low, high, wanted=5):
    """Round numbers from low to high, about `wanted` of them."""
    raw = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if raw <= unit * m * (1 + 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [(first + i) * step for i in range(int((high - first * step) / step + 1e-9) + 1)]


def number(value):
    """A tick's label."""
    return f"{value:.10g}" if abs(value) < 1e6 else f"{value:.2g}"


class Chart:
    """Collects marks in the units of the data and writes them as one <svg>."""

    def __init__(self, title, x, y, width=560, height=330):
        """x, y: (low, high, label, function that writes a tick)."""
        self.title, self.x, self.y, self.width, self.height = title, x, y, width, height
        self.marks = []
        self._axes()

    def left(self, value):
        return _LEFT + (value - self.x[0]) / (self.x[1] - self.x[0]) * (self.width - _LEFT - _RIGHT)

    def top(self, value):
        return self.height - _BOTTOM - (value - self.y[0]) / (self.y[1] - self.y[0]) * (self.height - _TOP - _BOTTOM)

    def _axes(self):
        bottom, right = self.height - _BOTTOM, self.width - _RIGHT
        for value in ticks(*self.y[:2]):
            at = self.top(value)
            self.marks.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
            self.text(_LEFT - 8, at + 4, self.y[3](value), "end")
        for value in ticks(*self.x[:2], wanted=7):
            at = self.left(value)
            self.marks.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
            self.text(at, bottom + 18, self.x[3](value), "middle")
        self.marks.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
        self.text((_LEFT + right) / 2, self.height - 6, self.x[2], "middle")
        middle = (_TOP + bottom) / 2
        turned = f'transform="rotate(-90 13 {middle:.0f})"'
        self.marks.append(f'<text x="13" y="{middle:.0f}" text-anchor="middle" {turned}>{escape(self.y[2])}</text>')

    def text(self, left, top, words, anchor="start", style=""):
        """Words at a place in pixels."""
        class_ = f' class="{style}"' if style else ""
        self.marks.append(f'<text{class_} x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def bar(self, x, y, width, style, words):
        """A bar from the axis up to y, `width` wide round x in the data's units."""
        left, right, top = self.left(x - width / 2), self.left(x + width / 2), self.top(y)
        height = self.height - _BOTTOM - top
        box = f'x="{left:.2f}" y="{top:.2f}" width="{max(right - left, 0.5):.2f}" height="{height:.2f}"'
        self.marks.append(f'<rect class="{style}" {box}><title>{escape(words)}</title></rect>')

    def line(self, points, style):
        """A line through points."""
        path = " ".join(f"{self.left(x):.1f},{self.top(y):.1f}" for x, y in points)
        self.marks.append(f'<polyline class="{style}" points="{path}"/>')

    def cloud(self, points, colour, shape, words):
        """Many points of one series as one path. Shape: 0 disc, 1 square, 2 triangle."""
        path = "".join(_SHAPES[shape].format(x=self.left(x), y=self.top(y)) for x, y in points)
        self.marks.append(f'<path d="{path}" fill="{colour}" fill-opacity="0.75"><title>{escape(words)}</title></path>')

    def svg(self):
        size = f'viewBox="0 0 {self.width} {self.height}"'
        return f'<svg {size} role="img" aria-label="{escape(self.title)}">{"".join(self.marks)}</svg>'


_SHAPES = (
    "M{x:.1f},{y:.1f}m-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z",
    "M{x:.1f},{y:.1f}m-2.6,-2.6h5.2v5.2h-5.2z",
    "M{x:.1f},{y:.1f}m0,-3.4l3.3,5.8h-6.6z",
)


def swatch(colour, shape):
    """One point of a series, for a legend."""
    path = _SHAPES[shape].format(x=6, y=6)
    return f'<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true"><path d="{path}" fill="{colour}"/></svg>'
