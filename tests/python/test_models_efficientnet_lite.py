# SPDX-License-Identifier: Apache-2.0
"""The EfficientNet-Lite family: sizes as published, and wrong weights refused."""

import numpy as np
import pytest

from pomona.models import ModelError, container, efficientnet_lite
from pomona.models.efficientnet_lite import VARIANTS, blocks
from support import reference


def random_state(variant: str) -> dict:
    """Seeded weights under the torch names."""
    random = np.random.RandomState(0)
    state = {}

    def conv(name, *shape):
        state[f"{name}.weight"] = (random.randn(*shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)

    def norm(name, channels):
        for part in ("weight", "running_var"):
            state[f"{name}.{part}"] = random.uniform(0.5, 1.5, channels).astype(np.float32)
        for part in ("bias", "running_mean"):
            state[f"{name}.{part}"] = random.uniform(-0.1, 0.1, channels).astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.zeros((), np.int64)

    conv("_conv_stem", 32, 3, 3, 3)
    norm("_bn0", 32)
    channels = 32
    for index, block in enumerate(blocks(VARIANTS[variant])):
        name, inside = f"_blocks.{index}", channels * block.expand
        if block.expand > 1:
            conv(f"{name}._expand_conv", inside, channels, 1, 1)
            norm(f"{name}._bn0", inside)
        conv(f"{name}._depthwise_conv", inside, 1, block.kernel, block.kernel)
        norm(f"{name}._bn1", inside)
        conv(f"{name}._project_conv", block.filters, inside, 1, 1)
        norm(f"{name}._bn2", block.filters)
        channels = block.filters
    conv("_conv_head", 1280, channels, 1, 1)
    norm("_bn1", 1280)
    return state


# Millions of trainable parameters with the classifier of 1280 x 1000 + 1000, as published with the networks.
@pytest.mark.parametrize(
    ("variant", "published"), [("lite0", 4.65), ("lite1", 5.42), ("lite2", 6.09), ("lite3", 8.20), ("lite4", 13.01)]
)
def test_variants_have_their_published_size(variant, published):
    _, tensors = container.read(efficientnet_lite.build(variant, random_state(variant), 64, {}))
    trained = sum(t.size for name, t in tensors.items() if not name.endswith(("mean", "variance")))
    assert abs((trained + 1280 * 1000 + 1000) / 1e6 - published) < 0.01


def test_scaled_variant_runs():
    model = efficientnet_lite.build("lite1", random_state("lite1"), 64, {})
    maps = reference.run(model, np.full((1, 64, 64, 3), 200, np.uint8), "none")
    assert maps.shape == (1, 2, 2, 1280)


def test_weights_of_another_variant_are_refused():
    with pytest.raises(ModelError, match="another variant"):
        efficientnet_lite.build("lite0", random_state("lite1"), 64, {})
    with pytest.raises(ModelError, match="another variant"):
        efficientnet_lite.build("lite2", random_state("lite0"), 64, {})
    extra = {**random_state("lite0"), "_blocks.99._bn1.weight": np.zeros(3, np.float32)}
    with pytest.raises(ModelError, match=r"_blocks\.99"):
        efficientnet_lite.build("lite0", extra, 64, {})
