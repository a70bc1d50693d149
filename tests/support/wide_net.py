# SPDX-License-Identifier: Apache-2.0
"""A network of eleven million random weights, all in 3x3 convolutions, for tests of memory."""

import numpy as np

from pomona.models.graph import GraphBuilder

SIZE = 224
# Filters and stride of its 3x3 convolutions. The last three are of the kind that may be packed for Winograd, which
# quadruples them.
LAYERS = ((64, 2), (256, 2), (512, 2), (512, 2), (512, 1), (512, 1), (512, 1))


def build() -> bytes:
    """The bytes of the model file. The feature map is 14 x 14 x 512."""
    graph, random, x, channels = GraphBuilder("WideTestNet", SIZE, "tf"), np.random.default_rng(0), "input", 3
    for number, (filters, stride) in enumerate(LAYERS):
        bound = (6 / (9 * channels)) ** 0.5  # variance 2 / fan-in keeps activations of order one
        kernel = random.uniform(-bound, bound, (3, 3, channels, filters)).astype(np.float32)
        x = graph.node("conv2d", f"conv{number}", x, {"kernel": kernel}, strides=[stride, stride], padding="same")
        x = graph.node("activation", f"relu{number}", x, kind="relu")
        channels = filters
    return graph.finish(x, {"source": "tests/support/wide_net.py", "licence": "Apache-2.0"})
