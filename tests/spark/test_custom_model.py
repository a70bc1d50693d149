# SPDX-License-Identifier: Apache-2.0
"""A user's fine-tuned Keras model, converted by the command line, runs in Spark like a named one (docs/recipes)."""

import json

import numpy as np
import pytest
from PIL import Image

from pomona import PomonaError
from pomona.__main__ import main
from pomona.models import keras_files, keras_random
from pomona.spark import ImageFeaturizer
from support.material import worst_difference

SIZE = 96
VARIETIES = ["Braeburn", "Granny Smith", "Pink Lady", "Golden Délicious"]


@pytest.fixture(scope="module")
def keras():
    """In the lightest backend, which also computes the vectors to compare with."""
    try:
        return keras_files.start_keras()
    except PomonaError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["inside", "outside"])
def tuned(request, keras, tmp_path_factory):
    """(options of the conversion, the Keras model, its file): MobileNetV2 below a head of the user's own, with its
    scaling as a layer, or left to the program around it."""
    base = keras.applications.MobileNetV2(weights=None, include_top=False, alpha=0.35, input_shape=(SIZE, SIZE, 3))
    x = image = keras.Input((SIZE, SIZE, 3))
    if request.param == "inside":
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(base(x, training=False))
    x = keras.layers.Dropout(0.3)(x)
    model = keras.Model(image, keras.layers.Dense(len(VARIETIES), activation="softmax", name="variety")(x))
    keras_random.draw(model)
    file = tmp_path_factory.mktemp("tuned") / "apples.keras"
    model.save(file)
    return [] if request.param == "inside" else ["--preprocess", json.dumps({"divide": 255})], model, file


def _inputs(images, options):
    """What the user's own program would give to Keras."""
    pixels = [Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC) for path in images]
    return np.stack(pixels).astype(np.float32) / (255 if options else 1)


def _by_keras(keras, model, inputs):
    """In fp32. (Keras's predict() would let OpenVINO choose bf16 on some CPUs.)"""
    return keras.ops.convert_to_numpy(model(inputs))


def _run(frame, column="features"):
    return {row.path.rsplit("/", 1)[1]: row[column] for row in frame.select("path", column).collect()}


def test_its_classes_are_keras_own(tuned, keras, read, images, tmp_path):
    options, model, file = tuned
    names, out = tmp_path / "varieties.txt", tmp_path / "apples.safetensors"
    names.write_text("\n".join(VARIETIES), encoding="utf-8")
    words = [
        "models",
        "convert",
        "--keras",
        str(file),
        "--classes",
        str(tmp_path / "varieties.txt"),
        *options,
        str(out),
    ]
    assert main(words) == 0
    expected = _by_keras(keras, model, _inputs(images, options))
    found = _run(ImageFeaturizer(modelPath=str(out), outputType="top", topK=4).transform(read(*images)))
    probabilities = [{pair["class"]: pair.probability for pair in found[path.name]} for path in images]
    ours = np.array([[row[name] for name in VARIETIES] for row in probabilities])
    assert worst_difference(ours, expected) < 1e-4
    assert expected.std(0).max() > 0.02  # the images are told apart


def test_its_inner_layer_gives_features(tuned, keras, read, images, tmp_path):
    options, model, file = tuned
    out = tmp_path / "embedding.safetensors"
    assert main(["models", "convert", "--keras", str(file), "--output", "embedding", *options, str(out)]) == 0
    inner = keras.Model(model.inputs, model.get_layer("embedding").output)
    expected = _by_keras(keras, inner, _inputs(images, options))
    found = _run(ImageFeaturizer(modelPath=str(out)).transform(read(*images)))
    assert worst_difference(np.array([found[path.name] for path in images]), expected) < 1e-4
    spread = expected.std(0) / np.sqrt((expected**2).mean())
    assert spread.mean() > 0.05


@pytest.mark.parametrize("tuned", ["outside"], indirect=True)
def test_scaling_that_nobody_told_is_asked_for(tuned, tmp_path, capsys):
    assert main(["models", "convert", "--keras", str(tuned[2]), str(tmp_path / "out")]) == 3
    assert "--preprocess" in capsys.readouterr().err
