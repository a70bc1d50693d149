# SPDX-License-Identifier: Apache-2.0
"""Keras models: every file layout gives the same tensors, the graph means what Keras means, the rest is refused."""

import json
import sys
import zipfile

import numpy as np
import pytest

from pomona.models import ModelError, container, convert, keras_files, keras_graph
from pomona.models.graph import GraphBuilder
from support import material, reference


@pytest.fixture(scope="module")
def keras():
    try:
        return keras_files.start_keras()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def small(keras, tmp_path_factory):
    """A MobileNetV2 of a third of the width at 96 x 96 with seeded weights, saved in every layout."""
    folder = tmp_path_factory.mktemp("keras")
    model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3), alpha=0.35)
    random = np.random.RandomState(0)
    for variable in model.weights:
        variable.assign(_draw(random, variable))
    model.save(folder / "small.keras")
    model.save_weights(folder / "small.weights.h5")
    model.save(folder / "small.h5")
    return model, folder


def _draw(random, variable) -> np.ndarray:
    """Kernels of variance 2 / fan-in, so that activations stay of order one; every batch norm does something."""
    if len(variable.shape) == 4:
        fan_in = np.prod(variable.shape[:2] if "depthwise" in variable.path else variable.shape[:3])
        return (random.randn(*variable.shape) * (2 / fan_in) ** 0.5).astype(np.float32)
    low, high = (0.5, 1.5) if variable.path.endswith(("gamma", "variance")) else (-0.3, 0.3)
    return random.uniform(low, high, variable.shape).astype(np.float32)


def _by_keras(model, x: np.ndarray) -> np.ndarray:
    """What Keras computes in fp32. (Its predict() would let OpenVINO choose bf16 on some CPUs.)"""
    from keras import ops

    return ops.convert_to_numpy(model(x.astype(np.float32)))


def _convert(folder, *arguments, **options):
    paths = [folder / argument for argument in arguments]
    return convert.from_keras(str(paths[0]), *paths[1:], preprocess="tf", **options)


def _tensors(data: bytes) -> dict:
    return container.read(data)[1]


def _same(first: dict, second: dict) -> bool:
    return list(first) == list(second) and all(np.array_equal(first[name], second[name]) for name in first)


def test_all_layouts_give_the_same_tensors(small):
    model, folder = small
    expected = _tensors(_convert(folder, "small.keras"))
    assert sum(tensor.size for tensor in expected.values()) == model.count_params()
    np.testing.assert_array_equal(expected["Conv1/kernel"], np.asarray(model.get_layer("Conv1").kernel))
    for arguments in [
        ("small.h5",),
        ("small.keras", "small.weights.h5"),
        ("small.keras", "small.keras"),
        ("small.h5", "small.h5"),
    ]:
        assert _same(_tensors(_convert(folder, *arguments)), expected), arguments


def test_same_file_gives_the_same_bytes(small):
    assert _convert(small[1], "small.keras") == _convert(small[1], "small.keras")


def test_graph_is_the_models_own(small):
    graph, _ = container.read(_convert(small[1], "small.keras"))
    assert graph["input"] == {"name": "input", "height": 96, "width": 96, "channels": 3}
    assert graph["preprocess"]["mode"] == "tf"
    assert graph["outputs"] == {"features": "out_relu"}
    assert len(graph["nodes"]) == len(small[0].layers) - 1
    pad = next(node for node in graph["nodes"] if node["name"] == "block_1_pad")
    assert pad == {
        "name": "block_1_pad",
        "op": "zero_pad",
        "inputs": ["block_1_expand_relu"],
        "attributes": {"padding": [0, 1, 0, 1]},
    }


def test_small_model_gives_what_keras_computes(small):
    model, folder = small
    pixels = np.random.RandomState(1).randint(0, 256, (2, 96, 96, 3)).astype(np.uint8)
    maps = reference.run(_convert(folder, "small.keras"), pixels, "none")
    expected = _by_keras(model, pixels / 127.5 - 1)
    assert material.worst_difference(maps.reshape(2, -1), expected.reshape(2, -1)) < 1e-3


@pytest.fixture(scope="module")
def official(keras):
    return convert.from_keras("MobileNetV2", material.shared(material.MOBILENET_V2_H5))


def test_mobilenet_v2_equals_keras_in_float64(official):
    """The oracle rounds the preprocessing to fp32, as the format asks; that is all of the difference."""
    expected = material.reference("MobileNetV2")
    maps = reference.run(official, expected["resized"], "none")
    assert material.worst_difference(maps.mean((1, 2)), expected["features"]) < 3e-6
    assert material.worst_difference(maps.max((1, 2)), expected["features_max"]) < 3e-6


def test_official_h5_comes_through_unchanged(official):
    h5py = pytest.importorskip("h5py")
    tensors = _tensors(official)
    with h5py.File(material.shared(material.MOBILENET_V2_H5)) as file:
        stored = [file[layer][name][()] for layer in file for name in file[layer].attrs["weight_names"]]
    assert sum(tensor.size for tensor in stored) == sum(tensor.size for tensor in tensors.values())
    sums = sorted(container.crc32(tensor) for tensor in stored)
    assert sums == sorted(container.crc32(tensor) for tensor in tensors.values())


def test_variable_length_attributes_hold_the_same_function(official):
    """tf_keras' file has its batch norms multiplied into the kernels: other numbers, the same function."""
    folded = convert.from_keras("MobileNetV2", material.shared(material.MOBILENET_V2_VLEN_H5))
    for first, second in zip(_scaled_kernels(official), _scaled_kernels(folded)):
        np.testing.assert_allclose(first, second, rtol=0, atol=2e-7 * np.abs(first).max())
    expected = material.reference("MobileNetV2")
    vectors = reference.run(folded, expected["resized"])
    assert material.worst_difference(vectors, expected["features"]) < 2e-5


def _scaled_kernels(model: bytes):
    """Each kernel times the batch norm behind it."""
    graph, tensors = container.read(model)
    for node in graph["nodes"]:
        if node["op"] == "batch_norm":
            part = {role: tensors[name].astype(np.float64) for role, name in node["weights"].items()}
            scale = part["gamma"] / np.sqrt(part["variance"] + node["attributes"]["epsilon"])
            kernel = tensors[node["inputs"][0] + "/kernel"]
            yield kernel * (scale[:, None] if kernel.shape[3] == 1 else scale)


def test_known_name_brings_its_own_input_and_asks_for_weights(official):
    graph, _ = container.read(official)
    assert (graph["name"], graph["input"]["height"], graph["preprocess"]["mode"]) == ("MobileNetV2", 224, "tf")
    assert graph["provenance"]["licence"] == "Apache-2.0"
    with pytest.raises(ModelError, match=r"--weights FILE \(or random\), or run: models fetch MobileNetV2"):
        convert.from_keras("MobileNetV2")


def test_input_size_of_a_name_can_be_chosen(keras):
    model = convert.from_keras("MobileNetV2", material.shared(material.MOBILENET_V2_H5), input_size=97)
    graph, _ = container.read(model)
    pads = [node["attributes"]["padding"] for node in graph["nodes"] if node["op"] == "zero_pad"]
    assert graph["input"]["height"] == 97
    assert pads[0] == [1, 1, 1, 1]  # the maps of 49 x 49 are odd
    assert reference.run(model, np.zeros((1, 97, 97, 3), np.uint8)).shape == (1, 1280)


def test_weights_that_the_file_lacks_are_named(small, keras, tmp_path):
    """Keras itself only warns of them and keeps its random numbers."""
    model, _ = small
    inputs = keras.Input((96, 96, 3))
    keras.Model(inputs, keras.layers.ReLU(name="only")(inputs)).save_weights(tmp_path / "none.weights.h5")
    with pytest.raises(ModelError, match="Conv1/kernel|do not fit"):
        keras_files.load_weights(keras.models.clone_model(model), tmp_path / "none.weights.h5")


def test_what_is_missing_is_asked_for(small, tmp_path):
    _, folder = small
    with pytest.raises(ModelError, match="--preprocess"):
        convert.from_keras(str(folder / "small.keras"))
    with pytest.raises(ModelError, match="no such file, and no Keras name"):
        convert.from_keras("MobileNetV9")
    with pytest.raises(ModelError, match="--keras NAME --weights small.weights.h5"):
        _convert(folder, "small.weights.h5")
    with pytest.raises(ModelError, match="was built for 96x96"):
        _convert(folder, "small.keras", input_size=224)
    with pytest.raises(ModelError, match="do not fit"):
        convert.from_keras("MobileNetV2", folder / "small.weights.h5")
    (tmp_path / "broken.keras").write_bytes((folder / "small.keras").read_bytes()[:5000])
    with pytest.raises(ModelError, match="not a readable"):
        _convert(tmp_path, "broken.keras")


def _walk(keras, layers, output=None) -> bytes:
    inputs = keras.Input((8, 8, 3))
    outputs = layers(inputs)
    graph = GraphBuilder("test", 8, "none")
    return graph.finish(keras_graph.walk(keras.Model(inputs, outputs), graph, output), {})


def test_layers_with_options(keras):
    """Groups, dilation, bias, multiplier, activations as arguments, batch norm without gamma and beta."""
    layers = keras.layers

    def net(x):
        x = layers.Conv2D(8, 3, padding="same", activation="relu6", name="a")(x)
        x = layers.Conv2D(12, 3, groups=4, dilation_rate=2, padding="same", bias_initializer="ones", name="b")(x)
        x = layers.BatchNormalization(scale=False, center=False, epsilon=0.25, name="c")(x)
        x = layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, activation="relu", name="d")(x)  # 3 x 3 x 24
        x = layers.Activation("linear")(layers.ReLU()(layers.Activation("relu6")(x)))
        y = layers.ZeroPadding2D(((2, 0), (0, 1)))(layers.Conv2D(24, (3, 2), strides=(3, 1))(x))  # 1 x 2, padded
        return layers.Add()([x, y])

    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, net(inputs))
    random = np.random.RandomState(0)
    model.set_weights([random.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    graph = GraphBuilder("test", 8, "torch")
    written = graph.finish(keras_graph.walk(model, graph), {})
    pixels = random.randint(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    rules = container.read(written)[0]["preprocess"]
    expected = _by_keras(model, reference.preprocess(rules, pixels))
    np.testing.assert_allclose(reference.run(written, pixels, "none"), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda k, x: k.layers.UpSampling2D(name="up")(x),
            "layer up: class UpSampling2D is not supported; it reads",
        ),
        (lambda k, x: k.layers.Lambda(lambda t: t, name="evil")(x), "layer evil: class Lambda is not supported"),
        (lambda k, x: k.ops.sqrt(x), r"class ops\.Sqrt is not supported"),
        (lambda k, x: k.layers.ReLU(threshold=0.5, name="r")(x), "layer r: ReLU with threshold=0.5"),
        (lambda k, x: k.layers.Activation("selu", name="t")(x), "layer t: Activation with activation=selu"),
        (lambda k, x: k.layers.Activation(lambda t: t, name="t")(x), "layer t: Activation with activation=<lambda>"),
        (lambda k, x: k.layers.BatchNormalization(axis=1, name="n")(x), "layer n: BatchNormalization with axis=1"),
        (lambda k, x: k.layers.Concatenate(axis=1, name="c")([x, x]), "layer c: Concatenate with axis=1"),
        (lambda k, x: k.layers.Softmax(axis=1, name="s")(x), "layer s: Softmax with axis=1"),
        (lambda k, x: k.layers.Multiply(name="m")([x, k.layers.Conv2D(1, 1)(x)]), "layer m: Multiply with inputs of"),
        (lambda k, x: k.layers.ReLU()(k.layers.Reshape((64, 3), name="w")(x)) * 2, "input of 8 x 8 x 3 reshaped to 64"),
        (lambda k, x: k.layers.BatchNormalization(name="b")(k.layers.Flatten()(x)), "layer b: .* reshaped to 192"),
        (lambda k, x: [k.layers.ReLU()(x), k.layers.ReLU()(x)], "1 inputs and 2 outputs"),
    ],
)
def test_walker_refuses_by_name(keras, build, words):
    with pytest.raises(ModelError, match=words):
        _walk(keras, lambda x: build(keras, x))


def test_unsupported_layer_is_placed_and_can_be_cut_away(keras):
    """What it reads, with its size, and who reads it; what stands before it can still be had."""

    def net(x):
        x = keras.layers.Conv2D(4, 3, name="before")(x)
        return keras.layers.ReLU(name="after")(keras.layers.UpSampling2D(name="up")(x))

    with pytest.raises(
        ModelError, match=r"up: .*; it reads before \(6 x 6 x 4\), and after reads it; .*supported: Act"
    ):
        _walk(keras, net)
    graph, tensors = container.read(_walk(keras, net, "before"))
    assert [node["name"] for node in graph["nodes"]] == ["before"] and len(tensors) == 2
    with pytest.raises(ModelError, match="no layer is called 'befor'; there are: before"):
        _walk(keras, net, "befor")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_in_a_file_is_refused_before_keras_reads_it(keras, suffix, tmp_path):
    inputs = keras.Input((8, 8, 3))
    path = tmp_path / f"hostile{suffix}"
    keras.Model(inputs, keras.layers.Lambda(lambda t: t * 2, name="evil")(inputs)).save(path)
    with pytest.raises(ModelError, match="layer evil: class Lambda is not supported"):
        _convert(tmp_path, path.name)


def test_foreign_class_behind_a_known_name_is_not_imported(small, keras, tmp_path):
    """The layer claims to be a ReLU of another module: Keras' safe mode must not import it."""
    path = tmp_path / "hostile.keras"
    with zipfile.ZipFile(small[1] / "small.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                layer = next(item for item in config["config"]["layers"] if item["class_name"] == "ReLU")
                layer["module"], layer["registered_name"] = "antigravity", "ReLU"
                data = json.dumps(config)
            target.writestr(name, data)
    with pytest.raises(ModelError, match="hostile.keras"):
        _convert(tmp_path, "hostile.keras")
    assert "antigravity" not in sys.modules
