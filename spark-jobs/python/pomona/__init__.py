# SPDX-License-Identifier: Apache-2.0
"""Pomona: JPEG bytes to CNN feature vectors, and features to principal components, inside Apache Spark.

Nothing heavy is imported here: `pomona.spark` needs PySpark, `pomona.models` numpy, and each says so when it is not
there.
"""

from pomona._places import version

__version__ = version()
__all__ = ["PomonaError", "__version__"]


class PomonaError(Exception):
    """What went wrong, where, and the cure, in one text for people. `python -m pomona` prints it and exits with 3."""
