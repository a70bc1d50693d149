# SPDX-License-Identifier: Apache-2.0
"""How a byte becomes the network's number: float = (byte / divide - subtract) / std, in fp32 and in this order."""

import json
import math
from typing import Any, Dict, List, Optional

import numpy as np

from pomona.models import ModelError

Rules = Dict[str, Any]


def _rules(mode: str, channels: str, divide: Any, subtract: Any, std: Any) -> Rules:
    def three(value: Any) -> List[float]:
        return list(value) if isinstance(value, tuple) else [value] * 3

    return {
        "mode": mode,
        "channels": channels,
        "divide": three(divide),
        "subtract": three(subtract),
        "std": three(std),
    }


# The one table of the modes that have a name.
PREPROCESS: Dict[str, Rules] = {
    row[0]: _rules(*row)
    for row in (
        ("tf", "rgb", 127.5, 1, 1),
        ("caffe", "bgr", 1, (103.939, 116.779, 123.68), 1),
        ("torch", "rgb", 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("lite", "rgb", 1, 127, 128),
        ("none", "rgb", 1, 0, 1),
    )
}

# The mode of rules that hold what the network's own first layers did, or that the user wrote.
OWN = "own"


def rules_of(text: str) -> Rules:
    """The rules of a mode's name, or written as JSON: {"divide": 255, "std": [0.2, 0.2, 0.3]} leaves the rest as in
    `none`; a number stands for all three channels."""
    if text in PREPROCESS:
        return PREPROCESS[text]
    try:
        own = {"channels": "rgb", "divide": 1, "subtract": 0, "std": 1, **json.loads(text)}
        rules = _rules(OWN, own.pop("channels"), *(_numbers(own.pop(key)) for key in ("divide", "subtract", "std")))
    except (ValueError, TypeError, RecursionError) as error:
        known = ", ".join(PREPROCESS)
        raise ModelError(f"preprocessing {text!r} is neither one of {known} nor rules in JSON: {error}") from error
    if own or rules["channels"] not in ("rgb", "bgr") or 0 in rules["divide"] or 0 in rules["std"]:
        keys = "channels (rgb or bgr), divide and std (not 0), subtract"
        raise ModelError(f"preprocessing {text}: must hold {keys}, and nothing else")
    return rules


def _numbers(value: Any) -> Any:
    values = tuple(value) if isinstance(value, list) else (value,) * 3
    if len(values) != 3 or not all(type(x) in (int, float) and math.isfinite(x) for x in values):
        raise ValueError(f"{value} is neither a number nor three")
    return values


def followed_by(rules: Rules, scale: np.ndarray, shift: np.ndarray) -> Optional[Rules]:
    """The rules that also do x * scale + shift (three numbers each, float64), or None where no such rules exist.

    a * byte + c = (byte - mean) / std with mean = -c / a and std = 1 / a, in float64 up to here. What fp32 then adds:
    the mean rounded (half a unit in its last place), the difference and the quotient rounded once each. For ImageNet's
    means near 120 and deviations near 58 that is below 2e-7 of one deviation, where a framework that scales, subtracts
    and divides layer by layer in fp32 rounds more often. Bytes, and halves of them as in (byte - 127.5) / 127.5, leave
    the quotient's rounding alone.
    """
    divide, subtract, std = (np.asarray(rules[key], np.float64) for key in ("divide", "subtract", "std"))
    slope = scale / (divide * std)
    offset = shift - scale * subtract / std
    if not (np.isfinite(slope).all() and np.isfinite(offset).all() and slope.all()):
        return None
    return _rules(OWN, rules["channels"], 1, tuple((0 - offset / slope).tolist()), tuple((1 / slope).tolist()))
