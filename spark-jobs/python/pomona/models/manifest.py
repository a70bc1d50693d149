# SPDX-License-Identifier: Apache-2.0
"""The manifest of known models: where their official weights lie, how to check them, and how to use them."""

import difflib
import json
from typing import Any, Dict, List, Optional

from pomona._places import manifest_path
from pomona.models import ModelError

Entry = Dict[str, Any]
Published = Dict[str, Any]  # a file: `addresses`, `file`, what was published to check it by, and a `limit` of bytes

_OVERHEAD = 8 << 20  # names, layouts and padding of a weights file, generously
_LABELS_LIMIT = 1 << 20


def entries() -> List[Entry]:
    """All models, in the order of the file."""
    return _read()["models"]


def find(name: str) -> Entry:
    """The model of that name, whatever its case."""
    known = {entry["name"].lower(): entry for entry in entries()}
    if name.lower() in known:
        return known[name.lower()]
    near = [known[key]["name"] for key in difflib.get_close_matches(name.lower(), known, n=5)]
    hint = f"near it: {', '.join(near)}; " if near else ""
    raise ModelError(f"no model is called {name!r}; {hint}`python -m pomona models list` shows all {len(known)}")


def weights(entry: Entry, include_top: bool = False) -> Published:
    """The file with the weights of the features, or of the whole classifier; often they are one."""
    published = entry.get("weights_top", entry["weights"]) if include_top else entry["weights"]
    return {"limit": 5 * entry["parameters_top"] + _OVERHEAD, **published}  # 4 bytes a parameter, and some air


def labels(entry: Entry) -> Published:
    """The file with the class names that the model was trained on."""
    return {"limit": _LABELS_LIMIT, "option": "--include-top --classes", **_read()["labels"][entry["labels"]]}


def has_checksum(published: Published) -> bool:
    return any(published.get(key) for key in ("sha256", "sha256_prefix", "md5"))


def keras_applications() -> Dict[str, Entry]:
    """Keras Applications name -> entry."""
    keras = (entry for entry in entries() if entry["architecture"]["family"] == "keras")
    return {entry["architecture"]["application"]: entry for entry in keras}


def keras_application(name: str) -> Optional[Entry]:
    """The entry of a Keras Applications name, or None when the name is none (so probably a file)."""
    return keras_applications().get(name)


def _read() -> Dict[str, Any]:
    return json.loads(manifest_path().read_text(encoding="utf-8"))
