# SPDX-License-Identifier: Apache-2.0
"""Architectures that Keras 2 has written (h5, and `.keras` of tf_keras), put into the words of Keras 3.

Keras 3 itself refuses most of them: an argument that went away, an axis in a list, operations of TensorFlow as layers.
What only matters for training is dropped, so that nothing but plain values reaches Keras.
"""

from typing import Any, Callable, Dict, List, Tuple

from pomona.models import ModelError

Config = Dict[str, Any]

_MODELS = ("Functional", "Model", "Sequential")
_TRAINING = ("_initializer", "_regularizer", "_constraint")
# Arguments that Keras 3 does not know, and the values with which they did nothing.
_GONE = {
    "groups": (1,),
    "ragged": (False,),
    "optional": (False,),
    "renorm": (False,),
    "fused": (None, True, False),
    "virtual_batch_size": (None,),
    "synchronized": (None, False),
    "adjustment": (None,),
}
_PACKAGE = "Custom>"  # how Keras registers its own layers that it does not export


def is_model(class_name: str) -> bool:
    return class_name in _MODELS


def plain_class(class_name: str) -> str:
    return class_name[len(_PACKAGE) :] if class_name.startswith(_PACKAGE) else class_name


def build(config: Config, what: str) -> Any:
    """The model of a Keras 2 configuration, without weights."""
    import keras
    from keras.src.applications import convnext, inception_resnet_v2

    own = {"LayerScale": convnext.LayerScale, "CustomScaleLayer": inception_resnet_v2.CustomScaleLayer}
    upgraded = _model(_without_slashes(config), what)
    with keras.saving.custom_object_scope(own):
        kind = keras.Sequential if upgraded["class_name"] == "Sequential" else keras.Model
        return kind.from_config(upgraded["config"])


def _model(config: Config, what: str) -> Config:
    if not isinstance(config["config"], dict):
        raise ModelError(
            f"{what}: written by Keras 1; build the network with Keras 3, save it as .keras, and add its weights with "
            "--keras NETWORK.keras --weights FILE.h5"
        )
    inner = {**config["config"], "layers": [_layer(layer) for layer in config["config"]["layers"]]}
    inner.pop("build_input_shape", None)
    for key in ("input_layers", "output_layers"):  # one tensor, not a list of one
        ends = inner.get(key, [])
        inner.update({key: ends[0]} if len(ends) == 1 else {})
    _number_uses(inner)
    kind = "Sequential" if config["class_name"] == "Sequential" else "Functional"
    return {"class_name": kind, "config": inner, **_place(config)}


def _without_slashes(config: Any, key: str = "") -> Any:
    """Names of layers, and of those that they read; Keras 3 keeps the slash for itself."""
    if isinstance(config, dict):
        return {name: _without_slashes(value, name) for name, value in config.items()}
    if isinstance(config, list):
        return [_without_slashes(value, key) for value in config]
    named = key in ("name", "inbound_nodes", "input_layers", "output_layers", "y")
    return config.replace("/", "_") if named and isinstance(config, str) else config


def _number_uses(model: Config) -> None:
    """A model inside another counts as used once before anyone uses it; Keras 3 counts so only in `output_layers`."""
    models = {
        layer["name"]: layer["class_name"]
        for layer in model["layers"]
        if is_model(layer["class_name"]) and "name" in layer
    }
    reads = [read for layer in model["layers"] for node in layer.get("inbound_nodes", []) for read in node]
    outputs = model.get("output_layers", [])
    outputs = [outputs] if outputs and isinstance(outputs[0], str) else outputs
    for name, kind in models.items():
        uses = [read for read in (*reads, *outputs) if read[0] == name]
        first = min((use[1] for use in uses), default=0)
        for use in uses:
            use[1] -= first
            if kind == "Functional" and any(use is output for output in outputs):
                use[1] += 1


def _layer(layer: Config) -> Config:
    kind = plain_class(layer["class_name"])
    if is_model(kind):
        return _model(layer, layer["config"]["name"])
    if kind == "TFOpLambda":
        return _operation(layer)
    config = {key: value for key, value in layer["config"].items() if not key.endswith(_TRAINING)}
    config = _without_gone(kind, config)
    config["dtype"] = "float32"
    shape = config.pop("batch_input_shape", None)
    if kind == "InputLayer" and shape:
        config["batch_shape"] = shape
    if isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    _refuse_objects(layer["config"]["name"], config)
    return {"class_name": kind, "config": config, **_place(layer)}


def _without_gone(kind: str, config: Config) -> Config:
    for key, harmless in _GONE.items():
        if key in config and (kind, key) != ("Conv2D", "groups"):
            value = config.pop(key)
            if value not in harmless:
                raise ModelError(f"layer {config['name']}: {kind} with {key}={value} is not supported")
    return config


def _refuse_objects(name: str, config: Config) -> None:
    """What is left are numbers, strings and lists of them."""
    for key, value in config.items():
        if isinstance(value, dict):
            raise ModelError(
                f"layer {name}: {key} holds {value.get('class_name', 'an object')}, which is not supported"
            )
        if key == "activation" and value == "hard_sigmoid":
            raise ModelError(f"layer {name}: hard_sigmoid of Keras 2 is another function than that of Keras 3")


def _place(layer: Config) -> Config:
    """Where the layer stands in a functional model."""
    return {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}


# Operations of TensorFlow: what they are with a number, and the layer that joins two maps.
_Scaling = Callable[[Any], Config]
_BINARY: Dict[str, Tuple[_Scaling, str]] = {
    "add": (lambda y: {"scale": 1.0, "offset": y}, "Add"),
    "subtract": (lambda y: {"scale": 1.0, "offset": _each(y, lambda n: -n)}, "Subtract"),
    "multiply": (lambda y: {"scale": y, "offset": 0.0}, "Multiply"),
    "truediv": (lambda y: {"scale": _each(y, lambda n: 1 / n), "offset": 0.0}, ""),
}
_UNARY = {"relu": "relu", "relu6": "relu6", "sigmoid": "sigmoid", "silu": "silu", "swish": "silu", "tanh": "tanh"}


def _operation(layer: Config) -> Config:
    """`x + 3.0` in a functional model of Keras 2 is a layer that calls tf.math.add; here a Rescaling, or an Add."""
    name, function = layer["config"]["name"], layer["config"].get("function", "")
    verb, nodes = function.rsplit(".", 1)[-1], layer["inbound_nodes"]
    source, arguments = nodes[0][:3], {key: value for key, value in nodes[0][3].items() if key != "name"}
    if verb in _UNARY and not arguments:
        return _made("Activation", name, {"activation": _UNARY[verb]}, [source])
    other = arguments.pop("y", None)
    scaling, joining = _BINARY.get(verb, (None, ""))
    if len(nodes) != 1 or arguments or other is None or not scaling:
        raise ModelError(f"layer {name}: operation {function} of TensorFlow is not supported in this form")
    if isinstance(other, list) and isinstance(other[0], str):  # another layer's output
        if not joining:
            raise ModelError(f"layer {name}: operation {function} of two maps is not supported")
        return _made(joining, name, {}, [source, other])
    return _made("Rescaling", name, scaling(other), [source])


def _made(kind: str, name: str, config: Config, sources: List[List[Any]]) -> Config:
    nodes = [[[*source[:3], {}] for source in sources]]
    return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}


def _each(value: Any, function: Callable[[float], float]) -> Any:
    return [function(number) for number in value] if isinstance(value, list) else function(value)
