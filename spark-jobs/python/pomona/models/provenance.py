# SPDX-License-Identifier: Apache-2.0
"""Where a model file's numbers come from, as the file itself says."""

from pathlib import Path
from typing import Any, Dict, Optional

from pomona import __version__
from pomona.models.files import digest


def provenance(weights: Optional[Path], licence: Optional[str]) -> Dict[str, Any]:
    """Of a file of weights, or of no training at all."""
    if not weights:
        return {"source": "random weights", "licence": "none", "converter": f"pomona {__version__}"}
    return {
        "source": weights.name,
        "sha256": digest(weights),
        "licence": licence or "unknown",
        "converter": f"pomona {__version__}",
    }
