# SPDX-License-Identifier: Apache-2.0
"""Keras applications with random weights as NAME.onnx, for the peers, and NAME.safetensors, for us:
export_models.py FOLDER [NAME,NAME...]. Needs tensorflow, tf2onnx and onnx."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

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
    "NASNetMobile": (224, "tf"),
}


def build(name: str, side: int) -> keras.Model:
    """Batch norms get statistics that are not 0 and 1, so that nothing can be left out for being an identity."""
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3)
    )
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
