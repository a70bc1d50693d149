# SPDX-License-Identifier: Apache-2.0
"""Names of classes from a file: a name a line, a list in JSON, or the index that Keras publishes for ImageNet."""

import json
from pathlib import Path
from typing import Any, List

from pomona.models import ModelError

_MOST_BYTES = 16 << 20


def read(path: Path) -> List[str]:
    """The names, in the order of the classifier's outputs."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if path.stat().st_size > _MOST_BYTES:
        raise ModelError(f"{path}: over {_MOST_BYTES} bytes, too long for a list of class names")
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _of_json(json.loads(text)) if text.lstrip().startswith(("{", "[")) else text.splitlines()
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ModelError(f"{path}: neither a name a line nor names in JSON: {error}") from error
    names = [name.strip() for name in names]
    if not names or "" in names:
        raise ModelError(f"{path}: line {names.index('') + 1 if names else 1} holds no class name")
    return names


def _of_json(index: Any) -> List[str]:
    """["tench", ...], {"0": "tench", ...} or {"0": ["n01440764", "tench"], ...}"""
    values = index if isinstance(index, list) else [index[str(number)] for number in range(len(index))]
    return [value if isinstance(value, str) else str(value[1]) for value in values]
