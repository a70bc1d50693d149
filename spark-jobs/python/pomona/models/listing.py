# SPDX-License-Identifier: Apache-2.0
"""`python -m pomona models list`: the manifest as a table or as JSON, and what of it lies in the cache."""

import json
from pathlib import Path
from typing import Any, Dict, List

from pomona.models import fetch, manifest

_COLUMNS = ("NAME", "INPUT", "GMACS", "MPARAMS", "FEATURES", "TOP-1", "LICENCE", "FETCHED")
_LEFT = frozenset({"NAME", "LICENCE", "FETCHED"})


def facts(cache: Path) -> List[Dict[str, Any]]:
    """One record a model, for programs. Multiply-accumulates and parameters are those of the features alone."""
    return [_facts(entry, cache) for entry in manifest.entries()]


def as_json(cache: Path) -> str:
    return json.dumps(facts(cache), indent=2)


def as_table(cache: Path) -> str:
    rows = [_COLUMNS, *(_row(model) for model in facts(cache))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(_line(row, widths) for row in rows)


def _facts(entry: manifest.Entry, cache: Path) -> Dict[str, Any]:
    keys = ("name", "input_size", "preprocess", "macs", "parameters", "output_length", "top1", "licence", "output")
    plain, whole = manifest.weights(entry), manifest.weights(entry, include_top=True)
    return {
        **{key: entry[key] for key in keys},
        "weights": plain["file"],
        "weights_top": whole["file"],
        "fetched": fetch.is_cached(plain, cache),
        "fetched_top": fetch.is_cached(whole, cache),
    }


def _row(model: Dict[str, Any]) -> List[str]:
    """`top` in the last column: the file with the classifier, where that is another one."""
    found = [word for word, here in (("yes", model["fetched"]), ("top", _has_own_top(model))) if here]
    return [
        model["name"],
        "{0}x{0}".format(model["input_size"]),
        f"{model['macs'] / 1e9:.2f}",
        f"{model['parameters'] / 1e6:.1f}",
        str(model["output_length"]),
        f"{model['top1']:.1f}",
        model["licence"],
        " + ".join(found) or "-",
    ]


def _has_own_top(model: Dict[str, Any]) -> bool:
    return model["fetched_top"] and model["weights_top"] != model["weights"]


def _line(row: Any, widths: List[int]) -> str:
    """Words to the left, numbers to the right."""
    cells = zip(row, widths, _COLUMNS)
    return "  ".join(c.ljust(width) if name in _LEFT else c.rjust(width) for c, width, name in cells).rstrip()
