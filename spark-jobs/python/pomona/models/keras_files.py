# SPDX-License-Identifier: Apache-2.0
"""Brings up Keras and loads architectures and weights with it: official `.h5`, `.weights.h5` and `.keras` files.

The backend only has to hold the weights, no layer is ever computed: openvino is the smallest that Keras starts with
(its numpy backend imports jax). A KERAS_BACKEND that the user has set wins.
"""

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np

from pomona.models import ModelError, keras_graph, keras_legacy, keras_weights
from pomona.models.keras_call import array

BACKEND = "openvino"
_MAX_CONFIG = 64 << 20


def start_keras() -> Any:
    """Imports Keras with the backend set. Nothing else in this package imports it first."""
    os.environ.setdefault("KERAS_BACKEND", BACKEND)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
    except ImportError as error:
        raise ModelError(
            f"Keras with the backend {os.environ['KERAS_BACKEND']} cannot be imported ({error}): "
            "pip install 'pomona[convert]', or set KERAS_BACKEND to one that is installed"
        ) from error
    return keras


def build_application(
    name: str, input_size: int, include_top: bool = False, pooling: Optional[str] = None, classes: int = 1000
) -> Any:
    """A network of Keras Applications without weights."""
    options = {"include_top": include_top, "pooling": pooling, "input_shape": (input_size, input_size, 3)}
    if include_top:
        options["classes"] = classes
    build = getattr(start_keras().applications, name)
    from keras.src.utils.naming import reset_uids

    reset_uids()  # layers without a name are numbered: always from the beginning
    try:
        return build(weights=None, **options)
    except ValueError as error:
        raise ModelError(f"{name} at {input_size}x{input_size}: {error}") from error


def load_model(path: Path) -> Any:
    """Architecture and weights of a `.keras` file, or of an `.h5` file that holds both. No code in it is run."""
    config, version = _read_config(path)
    _check_layers(config, path)
    keras = start_keras()
    try:
        if version < 3:
            model = keras_legacy.build(config, str(path))
        else:
            model = keras.saving.load_model(str(path), compile=False, safe_mode=True)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # Keras raises whatever the damaged part provokes
        raise ModelError(f"{path}: Keras cannot load it: {error}") from error
    load_weights(model, path)
    return model


def load_weights(model: Any, path: Path) -> None:
    """Fills the model from a `.h5`, `.weights.h5` or `.keras` file of any Keras."""
    floats = [variable for variable in model.weights if "float" in variable.dtype]
    for variable in floats:  # Keras only warns of layers that it did not find, so what it left must show
        variable.assign(np.full(variable.shape, np.nan, variable.dtype))
    try:
        _fill(model, path)
    except Exception as error:  # as above
        raise ModelError(f"{path}: its weights do not fit {model.name}: {error}") from error
    for variable in floats:
        if np.isnan(array(variable)).any():
            raise ModelError(f"{path}: has no weights (or not a number) for {variable.path} of {model.name}")


def _fill(model: Any, path: Path) -> None:
    import h5py

    if zipfile.is_zipfile(path):
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
            _check_claims(archive, path)
            model.load_weights(archive.extract("model.weights.h5", folder))
        return
    with h5py.File(path, "r") as file:
        if keras_weights.is_legacy(file):
            keras_weights.load(model, file)
            return
    with tempfile.TemporaryDirectory() as folder:  # Keras tells this layout by the file's name
        link = Path(folder) / "model.weights.h5"
        link.symlink_to(path.resolve())
        model.load_weights(str(link))


def input_size(model: Any) -> Tuple[Optional[int], Optional[int]]:
    """Height and width of the model's input; None where it takes any."""
    try:
        shape = model.inputs[0].shape
    except (AttributeError, ValueError) as error:
        raise ModelError(f"{model.name}: has no known input: give it an Input layer before it is saved") from error
    if len(shape) != 4 or shape[3] != 3:
        raise ModelError(f"{model.name}: takes {shape}, not images [batch, height, width, 3]")
    return shape[1], shape[2]


def _read_config(path: Path) -> Tuple[Dict[str, Any], int]:
    """The architecture as JSON, read before Keras sees the file, and the first number of the Keras that wrote it."""
    try:
        text, version = _config_of_zip(path) if zipfile.is_zipfile(path) else _config_of_h5(path)
        config = json.loads(text)
        return config if isinstance(config, dict) else {}, int(version.split(".")[0])
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not a readable .keras or .h5 file: {error}") from error


def _config_of_zip(path: Path) -> Tuple[str, str]:
    with zipfile.ZipFile(path) as archive:
        _check_claims(archive, path)
        metadata = json.loads(_member(archive, "metadata.json", path))
        return _member(archive, "config.json", path), metadata["keras_version"]


def _check_claims(archive: zipfile.ZipFile, path: Path) -> None:
    """Keras stores weights as they are, and weights hardly shrink: what claims to unpack to much more is hostile."""
    claimed, held = sum(member.file_size for member in archive.infolist()), path.stat().st_size
    if claimed > 4 * held + _MAX_CONFIG:
        raise ModelError(f"{path}: {held} bytes that claim to unpack to {claimed}")


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> str:
    with archive.open(name) as member:
        text = member.read(_MAX_CONFIG + 1)
    if len(text) > _MAX_CONFIG:
        raise ModelError(f"{path}: {name} is over {_MAX_CONFIG} bytes")
    return text.decode("utf-8")


def _config_of_h5(path: Path) -> Tuple[str, str]:
    start_keras()
    import h5py

    with h5py.File(path, "r") as file:
        text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "1")
    if text is None:
        raise ModelError(f"{path}: holds weights only; give --keras NAME --weights {path.name}")
    return _text(text), _text(version)


def _text(attribute: Any) -> str:
    return attribute.decode("utf-8") if isinstance(attribute, bytes) else str(attribute)


def _check_layers(config: Dict[str, Any], path: Path, prefix: str = "") -> None:
    """Refuses unknown classes, Lambda above all, before anything is built from the file."""
    try:
        layers = config["config"]["layers"] if isinstance(config["config"], dict) else config["config"]
        for layer in layers:
            kind, name = keras_legacy.plain_class(layer["class_name"]), prefix + layer["config"]["name"]
            if keras_legacy.is_model(kind):
                _check_layers(layer, path, f"{name}/")
            elif kind not in ("InputLayer", "TFOpLambda"):
                operation = ".ops." in (layer.get("module") or "")
                keras_graph.check_harmless(f"ops.{kind}" if operation else kind, name)
    except (KeyError, TypeError) as error:
        raise ModelError(f"{path}: not the configuration of a functional Keras model") from error
