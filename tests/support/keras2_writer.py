# SPDX-License-Identifier: Apache-2.0
"""A whole-model h5 as Keras 2 (tf_keras) writes it, with what Keras 3 refuses: arguments that went away, an axis in a
list, slashes in names, operations of TensorFlow as layers, a frozen model inside with all its weights in one group."""

import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

Layer = Dict[str, Any]


def _layer(class_name: str, name: str, sources: List[Any], **config: Any) -> Layer:
    """`sources`: name and number of use of each layer that it reads."""
    nodes = [[[source, use, 0, {}] for source, use in sources]] if sources else []
    config = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {"class_name": class_name, "config": config, "name": name, "inbound_nodes": nodes}


def _operation(name: str, function: str, source: Any, y: Any) -> Layer:
    """`x + 3.0`, `x * y` of a functional model."""
    layer = _layer("TFOpLambda", name, [], function=function)
    return {**layer, "inbound_nodes": [[*source, 0, {"y": y, "name": None}]]}


def _input(name: str) -> Layer:
    return _layer("InputLayer", name, [], batch_input_shape=[None, 8, 8, 3], sparse=False, ragged=False)


def _functional(name: str, layers: List[Layer], **config: Any) -> Layer:
    ends = {"input_layers": [[layers[0]["name"], 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    return {"class_name": "Functional", "config": {"name": name, "layers": layers, **ends, **config}, "name": name}


_INITIALIZER = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}
_WINDOW = {"strides": [1, 1], "padding": "valid", "data_format": "channels_last", "dilation_rate": [1, 1], "groups": 1}


def config() -> Layer:
    """x * relu6(x + 3) / 6 of a small base, and a classifier of two classes."""
    window = {**_WINDOW, "kernel_size": [3, 3], "activation": "linear", "use_bias": True}
    depthwise = {**window, "depth_multiplier": 2, "depthwise_initializer": _INITIALIZER, "depthwise_constraint": None}
    norm = {"axis": [3], "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True, "fused": True}
    base = [
        _input("input_1"),
        _layer("DepthwiseConv2D", "base/depthwise", [("input_1", 0)], **depthwise),
        _layer("BatchNormalization", "base/norm", [("base/depthwise", 0)], **norm, beta_initializer=_INITIALIZER),
    ]
    layers = [
        _input("input_2"),
        {**_functional("base", base, trainable=False), "inbound_nodes": [[["input_2", 0, 0, {"training": False}]]]},
        _operation("plus", "__operators__.add", ["base", 1], 3.0),
        _layer("ReLU", "relu6", [("plus", 0)], max_value=6.0, negative_slope=0.0, threshold=0.0),
        _operation("scaled", "math.multiply", ["relu6", 0], 1 / 6),
        _operation("times", "math.multiply", ["base", 1], ["scaled", 0, 0]),
        _layer("Flatten", "flatten", [("times", 0)], data_format="channels_last"),
        _layer("Dense", "dense", [("flatten", 0)], units=2, activation="softmax", use_bias=True),
    ]
    return _functional("keras2", layers, trainable=True)


def weights() -> Dict[str, Dict[str, np.ndarray]]:
    random = np.random.RandomState(3)

    def draw(*shape: int) -> np.ndarray:
        return random.uniform(0.1, 1, shape).astype(np.float32)

    base = {"depthwise/depthwise_kernel": draw(3, 3, 3, 2), "depthwise/bias": draw(6)}
    base.update({f"norm/{role}": draw(6) for role in ("gamma", "beta", "moving_mean", "moving_variance")})
    return {
        "base": {f"base/{name}:0": value for name, value in base.items()},
        "dense": {"dense/kernel:0": draw(216, 2) / 100, "dense/bias:0": draw(2)},
    }


def write(path: Path, model: Layer, fixed_strings: bool = False) -> None:
    """Keras 2 wrote names of fixed length, tf_keras writes them of any length."""
    import h5py

    def names(values: List[str]) -> np.ndarray:
        return np.array(values, "S" if fixed_strings else object) if values else np.zeros(0)

    tensors = weights()
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(model), "2.15.0"
        root = file.create_group("model_weights")
        layers = [layer["name"] for layer in model["config"]["layers"]]
        root.attrs["layer_names"] = names(layers)
        for layer in layers:
            group = root.create_group(layer)
            group.attrs["weight_names"] = names(list(tensors.get(layer, {})))
            for name, value in tensors.get(layer, {}).items():
                group.create_dataset(name, data=value)
