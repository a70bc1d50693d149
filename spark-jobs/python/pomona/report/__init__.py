# SPDX-License-Identifier: Apache-2.0
"""report.html of a run: one page without outside resources, from DIR/run.json, by the standard library alone."""

import pkgutil
from html import escape

from pomona.report import charts

__all__ = ["render"]


def _table(head, rows, numeric=()):
    """Rows of plain text; the columns in `numeric` are set to the right."""

    def line(tag, cells):
        marks = (f"<{tag}{' class=n' if i in numeric else ''}>{escape(str(c))}</{tag}>" for i, c in enumerate(cells))
        return f"<tr>{''.join(marks)}</tr>"

    top = line("th", head) if head else ""
    return f"<table>{top}{''.join(line('td', row) for row in rows)}</table>"


def _cards(facts):
    found = facts["reduction"]
    figures = (
        (f"{facts['images']:,}", f"images of {len(facts['labels'])} labels"),
        (f"{facts['errors']:,}", "errors"),
        (f"{facts['images_per_second']:,.1f}", "images a second"),
        (f"{found['k']:,}", f"components of {found['columns']:,}"),
        (f"{100 * found['variance']:.1f} %", f"variance kept (target {100 * found['target']:g} %)"),
    )
    cards = (f'<div class="card"><b>{escape(value)}</b><span>{escape(what)}</span></div>' for value, what in figures)
    return f'<div class="cards">{"".join(cards)}</div>'


def _variance(reduction):
    needed = [(f"{100 * s:g} %", charts.components_for(reduction["explained"], s) or "-") for s in charts.SHARES]
    return (
        '<h2>Variance</h2><div class="pair">'
        f"<section><h3>Scree plot</h3>{charts.scree(reduction)}</section>"
        f"<section><h3>Variance kept by the first components</h3>{charts.cumulative(reduction)}</section></div>"
        + _table(("variance kept", *(share for share, _ in needed)), [("components", *(k for _, k in needed))])
    )


def _projection(scatter):
    return (
        "<h2>First two principal components</h2>"
        f'<div class="plot">{charts.projection(scatter)}{charts.legend(scatter["labels"])}</div>'
    )


def _samples(samples):
    strips = {}
    for sample in samples:
        image = f'<img src="data:image/jpeg;base64,{escape(sample["data"])}" alt="" title="{escape(sample["path"])}">'
        strips.setdefault(sample["label"], []).append(image)
    parts = (f"<section><h3>{escape(label)}</h3>{''.join(images)}</section>" for label, images in strips.items())
    return f'<h2>Sample images</h2><div class="strip">{"".join(parts)}</div>'


def _timings(timings):
    rows = []
    for entry in timings:
        count, seconds = entry.get("count"), entry["seconds"]
        rows.append((entry["step"], f"{count:,} {entry['what']}" if count is not None else "", f"{seconds:.2f}"))
    rows.append(("total", "", f"{sum(entry['seconds'] for entry in timings):.2f}"))
    return "<h2>Timings</h2>" + _table(("step", "", "seconds"), rows, {2})


def _errors(facts):
    if not facts["errors"]:
        return "<h2>Errors by reason</h2><p>Every image gave features.</p>"
    reasons = facts["errors_by_reason"].items()
    table = _table(("reason", "images"), [(code, f"{count:,}") for code, count in reasons], {1})
    examples = [(row["path"], row["error"]) for row in facts["error_examples"]]
    return "<h2>Errors by reason</h2>" + table + (_table(("image", "error"), examples) if examples else "")


def _facts(facts):
    options = {"images": facts["options"]["images"], "out": facts["options"]["out"]}
    options.update((k, v) for k, v in facts["options"]["featurizer"].items() if v is not None)
    rows = [(f"model {key}", value) for key, value in facts["model"].items()]
    rows += [(f"version of {key}", value) for key, value in facts["versions"].items()]
    rows += [(key, value) for key, value in facts["machine"].items()]
    rows += [(f"option {key}", value) for key, value in options.items()]
    return f'<h2>The run</h2><div class="facts">{_table((), rows)}</div>'


def render(facts):
    """The page of a run, from the content of its run.json. Labels and paths are not ours: every text is escaped."""
    style = pkgutil.get_data(__name__, "style.css").decode("utf-8")
    name = escape(facts["model"]["name"] or "features")
    body = (
        _cards(facts),
        _variance(facts["reduction"]),
        _projection(facts["scatter"]),
        _samples(facts["samples"]),
        _timings(facts["timings"]),
        _errors(facts),
        _facts(facts),
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{name} - Pomona</title><style>{style}</style></head><body><main><h1>{name}</h1>"
        f'<p class="soft">{escape(facts["created"])} &middot; {escape(facts["options"]["images"])}</p>'
        f"{''.join(body)}</main></body></html>\n"
    )
