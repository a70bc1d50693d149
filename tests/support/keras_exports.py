# SPDX-License-Identifier: Apache-2.0
"""Networks of keras.applications as tf2onnx writes them, which must say what the same network says when it is converted
from Keras. Those with grouped convolutions are left out: tf2onnx cannot write them."""

from pathlib import Path
from typing import Any, Iterable, Iterator, Optional

from pomona.models import keras_convert, manifest
from support import keras_reference, networks, onnx_exports  # keras_reference chooses TensorFlow for Keras

import tensorflow as tf  # isort: skip
import tf2onnx  # isort: skip

NAMES = (
    "ResNet50 ResNet50V2 MobileNet MobileNetV2 MobileNetV3Small EfficientNetB0 EfficientNetV2B0 DenseNet121 "
    "InceptionV3 Xception NASNetMobile"
).split()
OPSETS = (13, 18)


def results(folder: Path, names: Optional[Iterable[str]], level: Optional[str]) -> Iterator[onnx_exports.Result]:
    chosen = [name for name in NAMES if not names or f"keras/{name}" in names]
    for case in networks.cases(chosen, small=True, pooling="avg") if chosen else []:
        pixels = networks.pixels(networks.images(), case.size)
        weights, model = folder / "net.weights.h5", folder / "keras.safetensors"
        net = keras_reference.drawn(case, pixels)
        net.save_weights(weights)
        model.write_bytes(keras_convert.from_keras(case.name, weights, input_size=case.size))
        exact = keras_reference.in_float64(case, weights, pixels[: onnx_exports.IMAGES])
        preprocess = manifest.keras_application(case.name)["preprocess"]
        for opset in OPSETS:
            file = folder / "net.onnx"
            _export(net, case.size, opset, file)
            label = f"keras/{case.name} tf2onnx {opset}"
            export = onnx_exports.Export(label, file, preprocess, case.size, exact)
            yield onnx_exports.measure(export, level, model)


def _export(net: Any, size: int, opset: int, file: Path) -> None:
    image = tf.TensorSpec((None, size, size, 3), tf.float32, name="image")
    call = tf.function(lambda x: net(x, training=False), input_signature=[image])
    tf2onnx.convert.from_function(call, input_signature=[image], opset=opset, output_path=str(file))
