# SPDX-License-Identifier: Apache-2.0
"""Each layer class and its options: by the float64 oracle, the walker's graph gives what Keras computes."""

import re

import numpy as np
import pytest

from pomona.models import ModelError, container, convert, keras_files, keras_graph, keras_random
from pomona.models.graph import GraphBuilder
from pomona.models.preprocess import PREPROCESS
from support import reference
from support.material import TOP

SIDES = (9, 10)  # rows, columns


@pytest.fixture(scope="module")
def keras():
    try:
        return keras_files.start_keras()
    except ModelError as error:
        pytest.skip(str(error))


def _pixels(height: int = SIDES[0], width: int = SIDES[1]) -> np.ndarray:
    return np.random.RandomState(1).randint(0, 256, (2, height, width, 3)).astype(np.uint8)


def _model(keras, net, *shape: int):
    inputs = keras.Input((*(shape or SIDES), 3))
    model = keras.Model(inputs, net(keras.layers, inputs))
    keras_random.draw(model)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def _written(model, output=None) -> bytes:
    graph = GraphBuilder("net", SIDES, "tf")
    return graph.finish(keras_graph.walk(model, graph, output), {})


def _check(model, written: bytes) -> dict:
    """The graph, after comparing what it gives with what Keras computes in fp32."""
    from keras import ops

    x = reference.preprocess(PREPROCESS["tf"], _pixels()).astype(np.float32)
    expected = np.asarray(ops.convert_to_numpy(model(x)), np.float64)
    found = reference.run(written, _pixels(), "none").reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())
    return container.read(written)[0]


def _operators(graph: dict) -> list:
    return [node["op"] for node in graph["nodes"]]


NETS = {
    "Conv2D, a group a channel": lambda k, x: k.Conv2D(6, 3, groups=3, strides=2, padding="same")(x),
    "Conv2D, grouped and dilated": lambda k, x: k.Conv2D(8, 3, groups=2, dilation_rate=2)(k.Conv2D(4, 1)(x)),
    "DepthwiseConv2D": lambda k, x: k.DepthwiseConv2D((5, 3), depth_multiplier=2, padding="same", activation="silu")(x),
    "SeparableConv2D": lambda k, x: k.SeparableConv2D(7, 3, strides=2, depth_multiplier=2, activation="relu")(x),
    "Dense on a map": lambda k, x: k.Dense(5, activation="tanh")(x),
    "Dense on what is flattened": lambda k, x: k.Dense(5)(k.Dropout(0.5)(k.Flatten()(k.Conv2D(4, 3)(x)))),
    "Dense on a vector": lambda k, x: k.Dense(3, use_bias=False)(k.Dense(8)(k.GlobalMaxPooling2D()(x))),
    "BatchNormalization": lambda k, x: k.BatchNormalization(scale=False)(k.BatchNormalization(center=False)(x)),
    "BatchNormalization of a vector": lambda k, x: k.BatchNormalization()(k.Dense(4)(k.GlobalAveragePooling2D()(x))),
    "LayerNormalization": lambda k, x: k.LayerNormalization(epsilon=0.1)(k.LayerNormalization(center=False)(x)),
    "Rescaling": lambda k, x: k.Rescaling([1.0, 2.0, 3.0], offset=-0.5)(k.Conv2D(3, 1)(x)),
    "Normalization": lambda k, x: k.Normalization()(k.Conv2D(3, 1)(x)),
    "Normalization of given numbers": lambda k, x: k.Normalization(mean=0.5, variance=2.0)(k.Conv2D(3, 1)(x)),
    "Normalization turned round": lambda k, x: k.Normalization(mean=0.5, variance=2.0, invert=True)(k.Conv2D(3, 1)(x)),
    "MaxPooling2D": lambda k, x: k.MaxPooling2D(3, strides=2, padding="same")(k.MaxPooling2D((2, 1))(x)),
    "AveragePooling2D": lambda k, x: k.AveragePooling2D(3, strides=2, padding="same")(x),
    "Global pooling that keeps the map": lambda k, x: k.GlobalAveragePooling2D(keepdims=True)(x),
    "ZeroPadding2D, Cropping2D": lambda k, x: k.Cropping2D(((2, 0), (1, 3)))(k.ZeroPadding2D(((0, 1), (2, 3)))(x)),
    "Concatenate": lambda k, x: k.Concatenate()([x, k.Conv2D(5, 1)(x), x]),
    "Add of three": lambda k, x: k.Add()([x, k.Conv2D(3, 1)(x), k.GlobalMaxPooling2D(keepdims=True)(x)]),
    "Subtract, Average": lambda k, x: k.Average()([k.Subtract()([x, k.Conv2D(3, 1)(x)]), x, x]),
    "Squeeze and excite": lambda k, x: k.Multiply()(
        [k.Conv2D(3, 1, activation="sigmoid")(k.Reshape((1, 1, 3))(k.GlobalAveragePooling2D()(x))), x]
    ),
    "Operators of Python": lambda k, x: (2.0 - (x * 3.0 + 0.25 - x) / 4.0) * x - 1.0,
    "Softmax": lambda k, x: k.Softmax()(k.Dense(6)(x)),
    "Softmax of a vector": lambda k, x: k.Activation("softmax")(k.Dense(6)(k.Flatten()(x))),
    "A layer as activation": lambda k, x: k.Conv2D(4, 1, activation=k.LeakyReLU(negative_slope=0.3))(x),
    "ReLU with all but a threshold": lambda k, x: k.ReLU(0.75, negative_slope=0.2)(k.ReLU(0.8)(k.Conv2D(4, 1)(x))),
    "LeakyReLU on what is flattened": lambda k, x: k.Dense(4)(k.LeakyReLU()(k.Flatten()(x))),
}


@pytest.mark.parametrize("name", NETS)
def test_layer(keras, name):
    model = _model(keras, NETS[name])
    _check(model, _written(model))


@pytest.mark.parametrize(
    "kind", "relu relu6 leaky_relu sigmoid silu hard_sigmoid hard_silu gelu tanh softmax linear".split()
)
def test_activation(keras, kind):
    """As a layer, as an argument; values on both sides of every bend."""
    model = _model(keras, lambda k, x: k.Activation(kind)(k.Dense(4, activation=kind)(k.Rescaling(9)(x))))
    _check(model, _written(model))


def test_operations_of_keras_ops(keras):
    ops = keras.ops

    def net(k, x):
        x = ops.silu(ops.relu6(k.Conv2D(4, 1)(x)))
        x = ops.concatenate([x, ops.gelu(x, approximate=True), ops.hard_sigmoid(x)], axis=-1)
        return ops.softmax(ops.reshape(ops.mean(x, axis=(1, 2)), (-1, 12)))

    model = _model(keras, net)
    _check(model, _written(model))


def test_group_for_each_channel_is_depthwise(keras):
    model = _model(keras, NETS["Conv2D, a group a channel"])
    assert _operators(_check(model, _written(model))) == ["depthwise_conv2d"]


def test_models_in_models_and_shared_layers(keras):
    """A block inside a model inside a model, used twice; a layer used twice by itself. Names are paths."""
    layers = keras.layers
    ends = keras.Input((9, 10, 4))
    block = keras.Model(ends, layers.ReLU(name="act")(layers.Conv2D(4, 3, padding="same", name="conv")(ends)), name="b")
    base = keras.Sequential([keras.Input((9, 10, 3)), layers.Conv2D(4, 1, name="stem"), block], name="base")
    twice = layers.Conv2D(4, 1, name="twice")
    model = _model(keras, lambda k, x: k.Add(name="sum")([twice(twice(base(x))), block(base(x))]))
    graph = _check(model, _written(model))
    names = [node["name"] for node in graph["nodes"]]
    assert {"base/stem", "base/b/conv", "base/b/act", "twice", "twice_2", "b/conv", "sum"} <= set(names)
    assert graph["outputs"] == {"features": "sum"}


@pytest.mark.parametrize(("output", "node"), [("base", "base/act"), ("base/conv", "base/conv"), ("pool", "pool")])
def test_output_names_a_layer_or_a_model_inside(keras, output, node):
    k = keras.layers
    parts = [keras.Input((9, 10, 3)), k.Conv2D(4, 3, name="conv"), k.ReLU(name="act")]
    base = keras.Sequential(parts, name="base")
    model = _model(keras, lambda k, x: k.Dense(2)(k.GlobalAveragePooling2D(name="pool")(base(x))))
    graph, _ = container.read(_written(model, output))
    assert graph["outputs"] == {"features": node} and graph["nodes"][-1]["name"] == node


def test_scaling_at_the_input_becomes_preprocessing(keras):
    """Random augmentation does nothing, scaling layers fold; in fp32 within 3e-7 of the exact numbers."""

    def net(k, x):
        x = k.RandomRotation(0.1)(k.RandomFlip()(x))
        x = k.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.052, 0.05, 0.051])(k.Rescaling(1 / 255)(x))
        return k.ZeroPadding2D(1, name="pad")(x)

    model = _model(keras, net)
    graph = GraphBuilder("net", SIDES, "none")
    written = graph.finish(keras_graph.walk(model, graph), {})
    rules = container.read(written)[0]["preprocess"]
    assert [node["op"] for node in container.read(written)[0]["nodes"]] == ["zero_pad"]
    assert rules["mode"] == "own" and rules["divide"] == [1, 1, 1]
    exact = (_pixels() / 255 - np.array([0.485, 0.456, 0.406])) / np.sqrt([0.052, 0.05, 0.051])
    np.testing.assert_allclose(reference.preprocess(rules, _pixels()), exact, rtol=0, atol=3e-7)


def test_scaling_behind_named_preprocessing_is_joined_with_it(keras):
    model = _model(keras, lambda k, x: k.Conv2D(4, 3)(k.Rescaling(2.0, offset=[0.5, 0.0, -1.0])(x)))
    graph = _check(model, _written(model))
    assert _operators(graph) == ["conv2d"] and graph["preprocess"]["mode"] == "own"


def test_scaling_that_others_read_past_stays_a_node(keras):
    model = _model(keras, lambda k, x: k.Add()([x, k.Rescaling(2.0)(x)]))
    graph = _check(model, _written(model))
    assert _operators(graph) == ["affine", "add"] and graph["preprocess"] == PREPROCESS["tf"]


def test_model_of_any_size_takes_the_one_asked_for(keras, tmp_path):
    """Sizes behind the input are worked out, also inside of inner models."""
    layers = keras.layers
    base = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3, strides=2), layers.ReLU()])
    model = _model(keras, lambda k, x: k.GlobalAveragePooling2D()(base(x)), None, None)
    model.save(tmp_path / "any.keras")
    with pytest.raises(ModelError, match="choose one with --input-size"):
        convert.from_keras(str(tmp_path / "any.keras"), preprocess="tf")
    written = convert.from_keras(str(tmp_path / "any.keras"), preprocess="tf", input_size=11)
    assert reference.run(written, _pixels(11, 11)).shape == (2, 4)


def test_efficientnets_official_weights_are_scaled_as_keras_does(keras, tmp_path, monkeypatch):
    """Keras adds a Rescaling only to what it downloads itself: here it gets a file that we made."""
    from keras.src.utils import file_utils

    model = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(32, 32, 3))
    keras_random.draw(model)
    normalization = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    normalization.adapt_mean.assign([0.485, 0.456, 0.406])
    normalization.adapt_variance.assign(np.square([0.229, 0.224, 0.225]))
    path = tmp_path / "official.weights.h5"
    model.save_weights(path)
    monkeypatch.setattr(file_utils, "get_file", lambda *arguments, **options: str(path))
    official = keras.applications.EfficientNetB0(weights="imagenet", include_top=False, input_shape=(32, 32, 3))
    graph = GraphBuilder("net", 32, "none")
    theirs = container.read(graph.finish(keras_graph.walk(official, graph), {}))[0]["preprocess"]
    ours = container.read(convert.from_keras("EfficientNetB0", path, input_size=32))[0]["preprocess"]
    for key in ("divide", "subtract", "std"):
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-6)
    assert theirs["std"][0] == pytest.approx(255 * 0.229 * 0.229**0.5, rel=1e-5)


def test_every_layer_is_documented():
    table = (TOP / "docs/keras.md").read_text(encoding="utf-8").split("## Which layers")[1]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([\w.]+)`", " ".join(rows))) == sorted(keras_graph.LAYERS)


def test_classifier_of_a_name_with_its_classes(keras):
    names = [f"kind {number}" for number in range(7)]
    model = convert.from_keras("MobileNetV3Small", "random", input_size=32, include_top=True, classes=names)
    graph, _ = container.read(model)
    assert graph["classes"] == names and graph["provenance"]["source"] == "random weights"
    probabilities = reference.run(model, _pixels(32, 32))
    assert probabilities.shape == (2, 7)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    with pytest.raises(ModelError, match="7 class names, but the output is"):
        convert.from_keras("MobileNetV3Small", "random", input_size=32, classes=names)


def test_pooling_of_a_name_is_keras_own(keras):
    """ConvNeXt normalizes behind its pooling, which no pooling of a finished map can give."""
    pooled, whole = (
        convert.from_keras("ConvNeXtTiny", "random", input_size=32, pooling=pooling) for pooling in ("max", None)
    )
    operators = _operators(container.read(pooled)[0])
    assert operators[-2:] == ["global_pool", "layer_norm"]
    assert "global_pool" not in _operators(container.read(whole)[0])
