# SPDX-License-Identifier: Apache-2.0
"""Model files: reading, writing and converting them (docs/model-format.md). Needs numpy; Keras models need Keras."""

from pomona import PomonaError


class ModelError(PomonaError):
    """A model, weights file or download that cannot be used."""
