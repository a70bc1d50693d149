# SPDX-License-Identifier: Apache-2.0
"""torchvision's networks from their state dicts: against the same networks written independently, channels first."""

import numpy as np
import pytest

from pomona.models import ModelError, container, manifest, torchvision
from support import reference, torch_nets
from support.material import worst_difference

CLASSES = [f"class {number}" for number in range(1000)]
NETWORKS = pytest.mark.parametrize("network", torchvision.NETWORKS)


def _pixels(size):
    return np.random.RandomState(5).randint(0, 256, (1, size, size, 3)).astype(np.uint8)


def _first(pixels):
    """What torchvision's transforms make of the pixels, in fp32 as they do, channels first."""
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    x = (pixels[0].astype(np.float32) / np.float32(255) - mean) / std
    return x.transpose(2, 0, 1).astype(np.float64)


# 75: odd sides all the way down, where a padding on the wrong side or a pool that rounds wrongly shows.
@pytest.mark.parametrize("size", [64, 75])
@pytest.mark.parametrize(
    "network",
    "resnet18 resnet50 wide_resnet50_2 resnext50_32x4d mobilenet_v2 regnet_y_400mf squeezenet1_0 squeezenet1_1".split(),
)
def test_features_and_probabilities_are_the_networks(network, size):
    pixels, net = _pixels(size), torch_nets.Layers(seed=1)
    features, logits = torch_nets.run(network, net, _first(pixels))
    model = torchvision.build(network, net.state, size, "torch", {})
    found = reference.run(model, pixels, "none")[0]
    assert worst_difference(found.reshape(1, -1), features.transpose(1, 2, 0).reshape(1, -1)) < 1e-9
    whole = torchvision.build(network, net.state, size, "torch", {}, CLASSES)
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    assert worst_difference(reference.run(whole, pixels, "avg"), probabilities[None]) < 1e-9
    assert container.read(whole)[0]["classes"] == CLASSES


@NETWORKS
def test_sizes_are_the_published(network):
    entry = manifest.find(f"torchvision/{network}")
    net = torch_nets.Layers()
    torch_nets.run(network, net, np.zeros((3, 64, 64)))
    assert _numbers(torchvision.build(network, net.state, 64, "torch", {})) == entry["parameters"]
    assert _numbers(torchvision.build(network, net.state, 64, "torch", {}, CLASSES)) == entry["parameters_top"]


def _numbers(model):
    return sum(tensor.size for tensor in container.read(model)[1].values())


def test_weights_of_another_network_are_refused():
    net = torch_nets.Layers()
    torch_nets.run("resnet18", net, np.zeros((3, 64, 64)))
    with pytest.raises(ModelError, match=r"layer1\.2\.conv1\.weight is missing.*another variant"):
        torchvision.build("resnet34", net.state, 64, "torch", {})
    with pytest.raises(
        ModelError, match=r"layer1\.0\.conv1\.weight is of shape \(64, 64, 3, 3\), expected \(64, 64, 1, 1\)"
    ):
        torchvision.build("resnet50", net.state, 64, "torch", {})
    with pytest.raises(ModelError, match="1 tensors belong to no layer, such as more"):
        torchvision.build("resnet18", {**net.state, "more": np.zeros(3)}, 64, "torch", {})
    with pytest.raises(ModelError, match=r"fc\.weight is of shape \(1000, 512\), expected \(3, 512\)"):
        torchvision.build("resnet18", net.state, 64, "torch", {}, ["a", "b", "c"])
