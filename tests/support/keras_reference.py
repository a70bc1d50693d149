# SPDX-License-Identifier: Apache-2.0
"""Keras on TensorFlow: networks whose weights are worth testing, and what Keras computes with them in float64 and fp32.

Needs the environment of requirements/networks.txt.
"""

import contextlib
import functools
import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from pomona.models import keras_convert, keras_random

_TRACE_FROM = 160  # side: below it, tracing a network takes longer than running it layer by layer


def make(case: Any, pixels: np.ndarray, references: int, model: Path, vectors: Path) -> None:
    """Writes the model file, by way of a weights file as a user would, and Keras's vectors of the first images."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "net.weights.h5"
        found = {"float32": _in_fp32(case, pixels, references, weights)}
        options = {"input_size": case.size, "include_top": case.include_top}
        model.write_bytes(keras_convert.from_keras(case.name, weights, **options))
        found["float64"] = in_float64(case, weights, pixels[:references])
    _forget()
    partial = vectors.with_suffix(".part.npz")
    np.savez(partial, **found)
    partial.rename(vectors)


def _in_fp32(case: Any, pixels: np.ndarray, references: int, weights: Path) -> np.ndarray:
    net = drawn(case, pixels)
    net.save_weights(weights)
    return _vectors(case, net, pixels[:references])


def drawn(case: Any, pixels: np.ndarray) -> Any:
    """The network in fp32, with random weights and the statistics of these images."""
    net = _build(case)
    keras_random.draw(net)
    for layer in net._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # Keras computes with what it derived from the weights
    _take_statistics(net, _inputs(case, pixels, "float32"))
    return net


def in_float64(case: Any, weights: Path, pixels: np.ndarray) -> np.ndarray:
    """The vectors of these images by the weights of a file."""
    return _vectors(case, _loaded(case, weights), pixels)


def _build(case: Any) -> Any:
    shape = (case.size, case.size, 3)
    build = getattr(keras.applications, case.name)
    return build(weights=None, include_top=case.include_top, input_shape=shape)


def _loaded(case: Any, weights: Path) -> Any:
    """The same weights in a network that computes in float64."""
    with _float64():
        net = _build(case)
    net.load_weights(weights)
    for layer in net._flatten_layers():
        if isinstance(layer, keras.layers.Conv2D) and 1 < layer.groups == layer.filters:
            layer.convolution_op = functools.partial(_depthwise, layer)
    return net


def _depthwise(layer: Any, inputs: Any, kernel: Any) -> Any:
    """One group a channel: the compiler that Keras calls for groups takes hundreds of times as long in float64."""
    strides = (1, *layer.strides, 1)
    return tf.nn.depthwise_conv2d(inputs, tf.transpose(kernel, (0, 1, 3, 2)), strides, layer.padding.upper())


@contextlib.contextmanager
def _float64() -> Iterator[None]:
    """Layers that are made meanwhile compute in float64, in constants and weights too."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def _take_statistics(net: Any, inputs: np.ndarray) -> None:
    """One pass in training mode with momentum 0: every batch norm holds the statistics of these images."""
    norms = [layer for layer in net._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        return
    for norm in norms:
        norm.momentum = 0.0
    for layer in net._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    _run(net, inputs, training=True)


def _vectors(case: Any, net: Any, pixels: np.ndarray) -> np.ndarray:
    maps = _run(net, _inputs(case, pixels, net.compute_dtype))
    if case.include_top:
        return maps
    return maps.max((1, 2)) if case.pooling == "max" else maps.mean((1, 2))


def _inputs(case: Any, pixels: np.ndarray, dtype: str) -> np.ndarray:
    """By the preprocessing that Keras has beside the network."""
    module = sys.modules[getattr(keras.applications, case.name).__module__]
    return module.preprocess_input(pixels.astype(dtype))


def _run(net: Any, inputs: np.ndarray, training: bool = False) -> np.ndarray:
    call = tf.function(net) if inputs.shape[1] >= _TRACE_FROM else net
    return call(tf.constant(inputs), training=training).numpy()


def _forget() -> None:
    keras.utils.clear_session(free_memory=True)
    gc.collect()
