# SPDX-License-Identifier: Apache-2.0
"""A network of seven convolutions for tests that need a model in milliseconds: `python tests/support/tiny_net.py`
writes models/tiny_test_net.safetensors, and the same with a classifier behind it. Its weights mean nothing; its shapes
are the awkward ones: 24 and 40 channels (no multiple of 16), an explicit and an implicit odd padding, 3x3 and 5x5
windows, a residual, with and without bias.
"""

import sys
from pathlib import Path
from typing import Sequence

import numpy as np

TOP = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(TOP / "spark-jobs/python"))

from pomona.models.graph import GraphBuilder  # noqa: E402

PATH = TOP / "models/tiny_test_net.safetensors"
CLASSIFIER_PATH = TOP / "models/tiny_test_classifier.safetensors"
SIZE = 32
CLASSES = ("apple", "banana, ripe", 'pear "Conférence"', "cherry", "date palm")  # awkward in CSV and SQL
TWINS = (1, 3)  # two classes with the same weights, so always equally likely


class _Weights:
    """Seeded draws. numpy keeps the stream of RandomState the same in every release."""

    def __init__(self, seed: int):
        self._random = np.random.RandomState(seed)

    def between(self, low: float, high: float, *shape: int) -> np.ndarray:
        return self._random.uniform(low, high, shape).astype(np.float32)

    def kernel(self, *shape: int, fan_in: int) -> np.ndarray:
        """Uniform with variance 2 / fan_in, so that activations stay of order one."""
        bound = (6.0 / fan_in) ** 0.5
        return self.between(-bound, bound, *shape)

    def batch_norm(self, channels: int) -> dict:
        return {
            "gamma": self.between(0.7, 1.3, channels),
            "beta": self.between(-0.3, 0.7, channels),
            "mean": self.between(-0.2, 0.2, channels),
            "variance": self.between(0.5, 1.5, channels),
        }


class _Net:
    def __init__(self) -> None:
        self.graph = GraphBuilder("TinyTestNet", SIZE, "tf")
        self._weights = _Weights(20_240_601)

    def conv(self, name: str, x: str, size: int, channels: int, filters: int, bias: bool = False, **window) -> str:
        weights = {"kernel": self._weights.kernel(size, size, channels, filters, fan_in=size * size * channels)}
        if bias:
            weights["bias"] = self._weights.between(-0.5, 0.5, filters)
        return self._norm(self.graph.node("conv2d", name, x, weights, **window), filters)

    def depthwise(self, name: str, x: str, size: int, channels: int, **window) -> str:
        weights = {"kernel": self._weights.kernel(size, size, channels, 1, fan_in=size * size)}
        return self._norm(self.graph.node("depthwise_conv2d", name, x, weights, **window), channels)

    def act(self, x: str, kind: str) -> str:
        return self.graph.node("activation", f"{x}_{kind}", x, kind=kind)

    def classifier(self, x: str, channels: int, classes: int) -> str:
        kernel = self._weights.between(-4, 4, 1, 1, channels, classes)
        kernel -= kernel.mean(2, keepdims=True)  # else the one class whose weights are largest always wins
        kernel[..., TWINS[1]] = kernel[..., TWINS[0]]
        x = self.graph.node("global_pool", "average", x, kind="avg")
        x = self.graph.node("conv2d", "logits", x, {"kernel": kernel})
        return self.graph.node("softmax", "probabilities", x)

    def _norm(self, x: str, channels: int) -> str:
        return self.graph.node("batch_norm", f"{x}_bn", x, self._weights.batch_norm(channels), epsilon=1e-3)


def build(classes: Sequence[str] = ()) -> bytes:
    """The bytes of the model file. The feature map is 8 x 8 x 40, or that of a classifier of these classes."""
    net = _Net()
    pad = net.graph.node("zero_pad", "stem_pad", "input", padding=[0, 1, 0, 1])
    stem = net.act(net.conv("stem", pad, 3, 3, 24, strides=[2, 2], padding="valid"), "relu6")
    x = net.act(net.depthwise("block1_depthwise", stem, 3, 24, padding="same"), "relu6")
    x = net.conv("block1_project", x, 1, 24, 24, bias=True)
    x = net.graph.node("add", "block1_add", [stem, x])
    x = net.act(net.conv("block2_expand", x, 1, 24, 40), "relu")
    x = net.act(net.depthwise("block2_depthwise", x, 5, 40, strides=[2, 2], padding="same"), "relu6")
    x = net.conv("block2_project", x, 1, 40, 24)
    x = net.act(net.conv("head", x, 1, 24, 40, bias=True), "relu6")
    if classes:
        x = net.classifier(x, 40, len(classes))
    return net.graph.finish(x, {"source": "tests/support/tiny_net.py", "licence": "Apache-2.0"}, classes)


if __name__ == "__main__":
    for path, data in ((PATH, build()), (CLASSIFIER_PATH, build(CLASSES))):
        path.write_bytes(data)
        print(f"{len(data)} bytes in {path}")
