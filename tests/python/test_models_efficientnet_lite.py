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
    state["_fc.weight"] = (random.randn(1000, 1280) / 36).astype(np.float32)
    state["_fc.bias"] = random.uniform(-0.1, 0.1, 1000).astype(np.float32)
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


def test_classifier_is_features_times_weights():
    state = random_state("lite0")
    pixels = np.random.RandomState(1).randint(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    features = reference.run(efficientnet_lite.build("lite0", state, 64, {}), pixels)[0]
    logits = state["_fc.weight"].astype(np.float64) @ features + state["_fc.bias"]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    names = [f"class {number}" for number in range(1000)]
    found = reference.run(efficientnet_lite.build("lite0", state, 64, {}, names), pixels)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def _as_timm(state: dict, variant: str) -> dict:
    """The names of timm's port, which counts blocks within stages."""
    repeats = {"lite0": (1, 2, 2, 3, 3, 4, 1), "lite3": (1, 3, 3, 5, 5, 6, 1)}[variant]
    places = [f"{stage}.{index}" for stage, count in enumerate(repeats) for index in range(count)]
    plain = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    expanded = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    expanded.update({"_project_conv": "conv_pwl", "_bn2": "bn3"})
    outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    renamed = {}
    for key, tensor in state.items():
        if key.startswith("_blocks."):
            _, block, layer, rest = key.split(".")
            name = (plain if block == "0" else expanded)[layer]
            renamed[f"blocks.{places[int(block)]}.{name}.{rest}"] = tensor
        else:
            layer, rest = key.split(".")
            renamed[f"{outside[layer]}.{rest}"] = tensor
    return renamed


@pytest.mark.parametrize("variant", ["lite0", "lite3"])
def test_both_ports_give_the_same_model(variant):
    state = random_state(variant)
    expected = efficientnet_lite.build(variant, state, 64, {})
    assert efficientnet_lite.build(variant, _as_timm(state, variant), 64, {}) == expected
    extra = {**_as_timm(state, variant), "blocks.1.9.conv_pw.weight": np.zeros(3, np.float32)}
    with pytest.raises(ModelError, match="another variant"):
        efficientnet_lite.build(variant, extra, 64, {})
