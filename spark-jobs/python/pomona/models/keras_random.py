# SPDX-License-Identifier: Apache-2.0
"""Random weights, for timing a network or testing with it before its weights are at hand. Always the same ones.

Every layer does something: kernels keep activations of order one, and all scales (batch norms, layer norms, LayerScale)
are of order one too. Only statistics of real images would make the features of a deep network depend much on the image.
"""

from typing import Any

import numpy as np

_SEED = 20_240_601
_SCALES = ("gamma", "moving_variance", "variance")


def draw(model: Any) -> None:
    """Fills all weights of the model, in their order."""
    random = np.random.RandomState(_SEED)
    for variable in model.weights:
        if "float" in variable.dtype:
            variable.assign(_draw(random, variable).astype(np.float32))


def _draw(random: np.random.RandomState, variable: Any) -> np.ndarray:
    shape, name = tuple(variable.shape), variable.path.rsplit("/", 1)[-1]
    if len(shape) > 1:
        depthwise = "depthwise" in name or "depthwise" in variable.path.split("/")[-2]
        inputs = shape[:2] if depthwise and len(shape) == 4 else shape[:-1]
        return random.standard_normal(shape) * (2 / np.prod(inputs)) ** 0.5  # variance 2 / inputs, as for ReLU
    low, high = (0.5, 1.5) if name in _SCALES or "layer_scale" in variable.path else (-0.3, 0.3)
    return random.uniform(low, high, shape)
