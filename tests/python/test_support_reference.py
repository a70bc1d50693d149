# SPDX-License-Identifier: Apache-2.0
"""The oracle itself: against loops that follow the definition, and against vectors that others have computed."""

import itertools

import numpy as np
import pytest

from support import material, reference


def _loops(x, kernel, strides, dilations, pads, groups):
    """Convolution by its definition: kernel [kh][kw][in / groups][out]."""
    x = np.pad(x, ((pads[0], pads[1]), (pads[2], pads[3]), (0, 0)))
    kh, kw, depth, filters = kernel.shape
    height = (x.shape[0] - (kh - 1) * dilations[0] - 1) // strides[0] + 1
    width = (x.shape[1] - (kw - 1) * dilations[1] - 1) // strides[1] + 1
    y = np.zeros((height, width, filters))
    for row, column, f, i, j, c in itertools.product(*map(range, (height, width, filters, kh, kw, depth))):
        source = x[row * strides[0] + i * dilations[0], column * strides[1] + j * dilations[1]]
        y[row, column, f] += source[f // (filters // groups) * depth + c] * kernel[i, j, c, f]
    return y


CASES = [
    # side, kernel, strides, dilations, padding, its four numbers
    ((7, 6), (3, 3), [1, 1], [1, 1], "valid", (0, 0, 0, 0)),
    ((7, 6), (3, 2), [2, 1], [1, 2], [1, 0, 2, 1], (1, 0, 2, 1)),
    ((8, 8), (3, 3), [2, 2], [1, 1], "same", (0, 1, 0, 1)),
    ((7, 8), (5, 5), [2, 2], [1, 1], "same", (2, 2, 1, 2)),
    ((5, 9), (3, 3), [1, 1], [2, 2], "same", (2, 2, 2, 2)),
    ((4, 4), (1, 1), [3, 3], [1, 1], "same", (0, 0, 0, 0)),
]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("side", "size", "strides", "dilations", "padding", "pads"), CASES)
def test_conv2d(side, size, strides, dilations, padding, pads, groups):
    random = np.random.RandomState(0)
    x, kernel, bias = random.randn(*side, 4), random.randn(*size, 4 // groups, 6), random.randn(6)
    attributes = {"strides": strides, "dilations": dilations, "padding": padding, "groups": groups}
    y = reference.conv2d([x], {"kernel": kernel, "bias": bias}, attributes)
    np.testing.assert_allclose(y, _loops(x, kernel, strides, dilations, pads, groups) + bias, atol=1e-12)


@pytest.mark.parametrize(("side", "size", "strides", "dilations", "padding", "pads"), CASES)
def test_depthwise_conv2d_is_a_grouped_convolution(side, size, strides, dilations, padding, pads):
    random = np.random.RandomState(0)
    x, kernel = random.randn(*side, 3), random.randn(*size, 3, 2)
    attributes = {"strides": strides, "dilations": dilations, "padding": padding}
    y = reference.depthwise_conv2d([x], {"kernel": kernel}, attributes)
    grouped = kernel.reshape(*size, 1, 6)
    np.testing.assert_allclose(y, _loops(x, grouped, strides, dilations, pads, 3), atol=1e-12)


def test_preprocess_turns_channels_round_for_bgr():
    rules = {"channels": "bgr", "divide": [1, 1, 1], "subtract": [1, 2, 3], "std": [1, 1, 2]}
    np.testing.assert_array_equal(reference.preprocess(rules, np.uint8([[[10, 20, 30]]])), [[[29, 18, 3.5]]])


def test_efficientnet_lite0_equals_tensorflow_in_float64():
    expected = material.reference("EfficientNet-Lite0")
    vectors = reference.run(material.built_model("EfficientNet-Lite0"), expected["resized"])
    assert material.worst_difference(vectors, expected["features"]) < 1e-6
