# SPDX-License-Identifier: Apache-2.0
"""Where the package's own facts lie: in a checkout of the repository, or inside an installed copy."""

import re
from importlib import metadata
from pathlib import Path
from typing import Optional

_PACKAGE = Path(__file__).resolve().parent


def repository() -> Optional[Path]:
    """The top of the repository when this package runs from a checkout, else None."""
    top = _PACKAGE.parents[2] if len(_PACKAGE.parents) > 2 else None
    return top if top and (top / "native/include/pomona.h").is_file() else None


def version() -> str:
    """The version: the public C header's in a checkout, what the build wrote into the metadata in an installed copy."""
    top = repository()
    if not top:
        return metadata.version("pomona")
    header = (top / "native/include/pomona.h").read_text(encoding="utf-8")
    return re.search(r'^#define POMONA_VERSION "([^"]+)"', header, re.MULTILINE).group(1)


def manifest_path() -> Path:
    """models/manifest.json of the checkout, or the copy that the build put beside pomona.models."""
    top = repository()
    return top / "models/manifest.json" if top else _PACKAGE / "models/manifest.json"
