# SPDX-License-Identifier: Apache-2.0
"""Weights in the legacy HDF5 layout of Keras 1, Keras 2 and tf_keras: a group a layer, a group for each model inside.

Names decide where the file has the model's own, and the order of the layers, as in Keras, where it has not: numbered
layers are numbered anew in every session.
"""

from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from pomona.models import ModelError
from pomona.models.keras_call import inner_model

Stored = List[Tuple[str, Any]]  # name of a weight and its dataset


def is_legacy(file: Any) -> bool:
    """Whether an open HDF5 file has that layout."""
    return bool(_names(_root(file).attrs, "layer_names"))


def load(model: Any, file: Any) -> None:
    """Fills the model from an open HDF5 file."""
    root = _root(file)
    groups = {name: _stored(root, name) for name in _names(root.attrs, "layer_names")}
    groups = {name: stored for name, stored in groups.items() if stored}
    layers = [layer for layer in model.layers if layer.weights]
    for layer, stored in _matched({layer.name: layer for layer in layers}, groups, model.name):
        inner = inner_model(layer)
        if inner:
            _load_inner(layer, inner, stored)
        else:
            _assign(layer.name, _variables(layer), stored)


def _matched(layers: Dict[str, Any], groups: Dict[str, Stored], what: str) -> Iterator[Tuple[Any, Stored]]:
    """Layers beside what the file has for them."""
    if len(layers) != len(groups):
        raise ModelError(f"{what}: has {len(layers)} layers with weights, the file has {len(groups)}")
    by_name = {name.replace("/", "_"): stored for name, stored in groups.items()}
    if set(by_name) == {name.replace("/", "_") for name in layers}:
        return ((layer, by_name[name.replace("/", "_")]) for name, layer in layers.items())
    return zip(layers.values(), groups.values())


def _load_inner(layer: Any, inner: Any, stored: Stored) -> None:
    """One group holds all of a nested model: trainable weights first, or layer by layer where it was frozen."""
    leaves = {leaf.name: leaf for leaf in inner._flatten_layers() if leaf.weights and not inner_model(leaf)}
    groups: Dict[str, Stored] = {}
    for name, dataset in stored:
        path = name.split("/")[:-1]  # some Keras put the names of models before the layer's, some allowed a / in it
        whole = "_".join(path)
        groups.setdefault(whole if whole in leaves else path[-1] if path else "", []).append((name, dataset))
    if set(groups) != set(leaves):
        _assign(layer.name, _variables(layer), stored)
        return
    for name, leaf in leaves.items():
        _assign(f"{layer.name}/{name}", _variables(leaf), groups[name])


def _variables(layer: Any) -> List[Any]:
    """In the order of that layout."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _assign(name: str, variables: List[Any], stored: Stored) -> None:
    if len(variables) != len(stored):
        raise ModelError(f"layer {name}: has {len(variables)} weights, the file has {len(stored)}")
    for variable, (stored_name, dataset) in zip(variables, stored):
        if tuple(dataset.shape) != tuple(variable.shape):
            shapes = f"{tuple(variable.shape)}, the file's {stored_name} {tuple(dataset.shape)}"
            raise ModelError(f"layer {name}: {variable.name} is {shapes}")
        variable.assign(np.asarray(dataset[()], variable.dtype))


def _root(file: Any) -> Any:
    return file.get("model_weights", file)


def _stored(root: Any, layer: str) -> Stored:
    import h5py

    group = root[layer]
    stored = [(name, group[name]) for name in _names(group.attrs, "weight_names")]
    for name, dataset in stored:
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise ModelError(f"layer {layer}: {name} is no weight in the file itself")
        if dataset.file.filename != root.file.filename:
            raise ModelError(f"layer {layer}: {name} lies in another file")
    return stored


def _names(attributes: Any, key: str) -> List[str]:
    """Strings of fixed or variable length; a long list is cut into key0, key1, ..."""
    parts = [attributes[key]] if key in attributes else []
    while key not in attributes and f"{key}{len(parts)}" in attributes:
        parts.append(attributes[f"{key}{len(parts)}"])
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for part in parts for name in part]
