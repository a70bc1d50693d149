# SPDX-License-Identifier: Apache-2.0
"""Collected features, for comparison bit by bit."""

from pathlib import Path
from typing import Dict, Optional

import numpy as np


def by_name(frame, column: str = "features") -> Dict[str, Optional[bytes]]:
    """Bytes of each row's vector by file name; None for null."""
    rows = frame.select("path", column).collect()
    return {Path(row.path).name: raw(row[column]) for row in rows}


def raw(vector) -> Optional[bytes]:
    return None if vector is None else np.array(vector, np.float32).tobytes()


def rows_by_name(files, matrix: np.ndarray) -> Dict[str, bytes]:
    """What the command line wrote for these files."""
    return {file.name: row.tobytes() for file, row in zip(files, matrix)}
