# SPDX-License-Identifier: Apache-2.0
"""Model files: reading, writing and converting them (docs/model-format.md). Needs numpy; Keras only to convert Keras."""


class ModelError(Exception):
    """A model, weights file or download that cannot be used; the text names what, where and the cure."""
