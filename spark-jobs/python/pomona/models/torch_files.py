# SPDX-License-Identifier: Apache-2.0
"""Files of torch.save, in either layout."""

from pathlib import Path
from typing import Dict

import numpy as np

from pomona.models import ModelError, torch_legacy, torch_zip


def load(path: Path) -> Dict[str, np.ndarray]:
    """Name -> array of the state dict in the file."""
    data = path.read_bytes()
    try:
        return (torch_zip if data.startswith(torch_zip.MAGIC) else torch_legacy).load(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
