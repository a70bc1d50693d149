# SPDX-License-Identifier: Apache-2.0
"""The report's pictures, from the record of a run."""

from html import escape
from itertools import accumulate

from pomona.report.svg import Chart, number, swatch

SHARES = (0.80, 0.90, 0.95, 0.99)
_BARS = 60


def _percent(value):
    return f"{100 * value:.10g} %"


def components_for(explained, share):
    """The smallest number of components that keep a share of the variance; None when all together do not."""
    return next((i for i, kept in enumerate(accumulate(explained), 1) if kept >= share - 1e-12), None)


def scree(reduction):
    """Share of the variance of each of the first components; those that are kept stand out."""
    shown = reduction["explained"][:_BARS]
    chart = Chart(
        "Variance of each component",
        (0.25, len(shown) + 0.75, "component", number),
        (0, 1.08 * max([*shown, 1e-9]), "share of the variance", _percent),
    )
    for i, share in enumerate(shown, 1):
        chart.bar(i, share, 0.8, "kept" if i <= reduction["k"] else "left", f"component {i}: {100 * share:.2f} %")
    return chart.svg()


def cumulative(reduction):
    """Variance that the first components keep together, with the target and the k that reaches it."""
    explained = reduction["explained"]
    shown = min(len(explained), max(components_for(explained, 0.995) or len(explained), reduction["k"] + 5, 10))
    points = [(0, 0.0), *enumerate(accumulate(explained[:shown]), 1)]
    chart = Chart("Variance kept", (0, shown, "components", number), (0, 1, "variance kept", _percent))
    for share in SHARES:
        k = components_for(explained, share)
        if k and k <= shown:
            chart.line([(k, 0), (k, share)], "guide")
    target, k = reduction["target"], reduction["k"]
    chart.line([(0, target), (shown, target)], "target")
    chart.line(points, "curve")
    chart.line([(k, 0), (k, reduction["variance"])], "target")
    right = k > 0.6 * shown
    place = chart.left(k) + (-8 if right else 8)
    words = f"k = {k}: {100 * reduction['variance']:.1f} %"
    chart.text(place, chart.top(min(target, 0.94)) + 18, words, "end" if right else "start", "mark")
    return chart.svg()


def series_style(index, count):
    """Colour and shape of a label: hues round the circle, shapes in turn for those who tell hues badly."""
    return f"hsl({360 * index // max(count, 1)} 58% {(46, 60)[index % 2]}%)", index % 3


def _range(values):
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def projection(scatter):
    """The first two components of each image, coloured by label."""
    xs, ys = ([p[axis] for p in scatter["points"]] for axis in (0, 1))
    chart = Chart(
        "First two principal components",
        (*_range(xs), "component 1", number),
        (*_range(ys), "component 2", number),
        width=760,
        height=470,
    )
    for i, label in enumerate(scatter["labels"]):
        own = [p[:2] for p in scatter["points"] if p[2] == i]
        chart.cloud(own, *series_style(i, len(scatter["labels"])), label)
    return chart.svg()


def legend(labels):
    """Labels beside their marks."""
    marks = (f"<li>{swatch(*series_style(i, len(labels)))}{escape(label)}</li>" for i, label in enumerate(labels))
    return f'<ul class="legend">{"".join(marks)}</ul>'
