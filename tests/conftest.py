# SPDX-License-Identifier: Apache-2.0
"""Lets tests import `pomona` from the checkout and `support` from this folder."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
for folder in (TESTS, TESTS.parent / "spark-jobs/python"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
