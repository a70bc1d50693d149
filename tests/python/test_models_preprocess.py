# SPDX-License-Identifier: Apache-2.0
"""Preprocessing that the user writes."""

import numpy as np
import pytest

from pomona.models import ModelError
from pomona.models.preprocess import PREPROCESS, rules_of
from support import reference


@pytest.mark.parametrize("mode", PREPROCESS)
def test_names_are_their_rules(mode):
    assert rules_of(mode) == PREPROCESS[mode]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", [10, 20, 30]),
        ('{"divide": 255}', [10 / 255, 20 / 255, 30 / 255]),
        ('{"channels": "bgr", "subtract": [1, 2, 3.5], "std": 2}', [29 / 2, 18 / 2, 6.5 / 2]),
        ('{"divide": [1, 2, 3], "std": [1, 1, -1]}', [10, 10, -10]),
    ],
)
def test_rules_leave_out_what_does_nothing(text, expected):
    pixel = np.uint8([[[10, 20, 30]]])
    np.testing.assert_allclose(reference.preprocess(rules_of(text), pixel)[0, 0], expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vgg", "neither one of tf, caffe, torch, lite, none nor rules in JSON"),
        ("{", "nor rules in JSON"),
        ("[1, 2]", "nor rules in JSON"),
        ('{"divide": "255"}', "255 is neither a number nor three"),
        ('{"divide": [1, 2]}', "neither a number nor three"),
        ('{"divide": NaN}', "neither a number nor three"),
        ('{"subtract": true}', "neither a number nor three"),
        ('{"divide": 0}', "not 0"),
        ('{"std": [1, 0, 1]}', "not 0"),
        ('{"channels": "hsv"}', "rgb or bgr"),
        ('{"mean": 5}', "nothing else"),
    ],
)
def test_other_rules_are_refused(text, words):
    with pytest.raises(ModelError, match=words):
        rules_of(text)
