# SPDX-License-Identifier: Apache-2.0
"""Keras applications, and EfficientNet-Lite0, with random weights: NAME.onnx for the peers, NAME.safetensors for us:
export_models.py FOLDER [NAME,NAME...]. Needs tensorflow, tf2onnx and onnx."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spark-jobs/python"))

from pomona.models import efficientnet_lite

TOP = Path(__file__).resolve().parents[2]

# Side of the input and preprocessing of each.
NETWORKS = {
    "MobileNetV2": (224, "tf"),
    "ResNet50": (224, "caffe"),
    "InceptionV3": (299, "tf"),
    "VGG16": (224, "caffe"),
    "DenseNet121": (224, "torch"),
    "Xception": (299, "tf"),
    "EfficientNetB0": (224, "none"),
    "EfficientNetLite0": (224, "lite"),
    "NASNetMobile": (224, "tf"),
}


def lite0(side: int) -> keras.Model:
    """Keras has none of its own."""

    def conv(x: keras.KerasTensor, filters: int, kernel: int, stride: int = 1) -> keras.KerasTensor:
        x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False)(x)
        return layers.BatchNormalization(epsilon=1e-3)(x)

    def block(x: keras.KerasTensor, stage: efficientnet_lite.Stage) -> keras.KerasTensor:
        y = layers.ReLU(6)(conv(x, x.shape[-1] * stage.expand, 1)) if stage.expand > 1 else x
        y = layers.DepthwiseConv2D(stage.kernel, stage.stride, "same", use_bias=False)(y)
        y = conv(layers.ReLU(6)(layers.BatchNormalization(epsilon=1e-3)(y)), stage.filters, 1)
        return layers.Add()([x, y]) if stage.stride == 1 and x.shape[-1] == stage.filters else y

    entry = keras.Input((side, side, 3))
    x = layers.ReLU(6)(conv(entry, 32, 3, 2))
    for stage in efficientnet_lite.blocks(efficientnet_lite.VARIANTS["lite0"]):
        x = block(x, stage)
    x = layers.ReLU(6)(conv(x, 1280, 1))
    return keras.Model(entry, layers.GlobalAveragePooling2D()(x), name="efficientnet_lite0")


def make(name: str, side: int) -> keras.Model:
    if name == "EfficientNetLite0":
        return lite0(side)
    return getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3)
    )


def build(name: str, side: int) -> keras.Model:
    """Batch norms get statistics that are not 0 and 1, so that nothing can be left out for being an identity."""
    model = make(name, side)
    dice = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(dice.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(dice.uniform(0.5, 1.5, layer.moving_variance.shape))
        if isinstance(layer, keras.layers.Normalization):  # tensors would leave the export as inputs without values
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    model(np.zeros((1, side, side, 3), np.float32))  # the export wants a model that has been called
    return model


def export(folder: Path, name: str) -> None:
    side, preprocess = NETWORKS[name]
    model = build(name, side)
    kept = folder / f"{name}.keras"
    model.save(kept)
    model.export(str(folder / f"{name}.onnx"), format="onnx", verbose=False)
    convert = [sys.executable, "-m", "pomona", "models", "convert", "--keras", kept, "--preprocess", preprocess]
    environment = {**os.environ, "PYTHONPATH": str(TOP / "spark-jobs/python")}
    subprocess.run([*convert, folder / f"{name}.safetensors"], check=True, env=environment)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2].split(",") if len(sys.argv) > 2 else NETWORKS:
        export(folder, name)


if __name__ == "__main__":
    main()
