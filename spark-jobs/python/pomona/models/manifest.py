# SPDX-License-Identifier: Apache-2.0
"""The manifest of known models: where their official weights lie, how to check them, and how to use them."""

import json
from typing import Any, Dict, List, Optional

from pomona._places import manifest_path
from pomona.models import ModelError

Entry = Dict[str, Any]


def entries() -> List[Entry]:
    """All models, in the order of the file."""
    return json.loads(manifest_path().read_text(encoding="utf-8"))["models"]


def find(name: str) -> Entry:
    """The model of that name, whatever its case."""
    for entry in entries():
        if entry["name"].lower() == name.lower():
            return entry
    known = ", ".join(entry["name"] for entry in entries())
    raise ModelError(f"no model is called {name!r}; known: {known}")


def keras_applications() -> Dict[str, Entry]:
    """Keras Applications name -> entry."""
    keras = (entry for entry in entries() if entry["architecture"]["family"] == "keras")
    return {entry["architecture"]["application"]: entry for entry in keras}


def keras_application(name: str) -> Optional[Entry]:
    """The entry of a Keras Applications name, or None when the name is none (so probably a file)."""
    return keras_applications().get(name)


def table() -> str:
    """What `models list` prints."""
    rows = [("NAME", "INPUT", "FEATURES", "PREPROCESS", "LICENCE", "WEIGHTS")]
    for entry in entries():
        size = "{0}x{0}".format(entry["input_size"])
        facts = (entry["preprocess"], entry["licence"], entry["weights"]["addresses"][0])
        rows.append((entry["name"], size, str(entry["output_length"]), *facts))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
