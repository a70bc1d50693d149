# SPDX-License-Identifier: Apache-2.0
"""Writes files as torch.save does, in its old layout and in its zips, without torch."""

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from typing import Any, Dict, List
from unittest import mock

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MACHINE = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
_STORAGES = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage"}


def _torch() -> Dict[str, types.ModuleType]:
    """Modules with just the names that such a pickle mentions."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in _STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch", "__qualname__": name}))
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


class Storage:
    def __init__(self, key: str, values: np.ndarray):
        self.key, self.values = key, values


class Tensor:
    """A window on a storage; every field is written as it stands, right or wrong."""

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any):
        self.fields = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.fields


class _Pickler(pickle.Pickler):
    view = (None,)  # what the old layout says of a storage that is no view

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Storage):
            kind = getattr(sys.modules["torch"], _STORAGES[value.values.dtype.name])
            return ("storage", kind, value.key, "cpu", value.values.size, *self.view)
        return None


class _ZipPickler(_Pickler):
    view = ()


def dumps(value: Any, protocol: int = 2, pickler: type = _Pickler) -> bytes:
    """One pickle with torch's names in it."""
    stream = io.BytesIO()
    with mock.patch.dict(sys.modules, _torch()):
        pickler(stream, protocol).dump(value)
    return stream.getvalue()


def save(state: Any, storages: List[Storage], machine: Any = None) -> bytes:
    """The whole file. `state` may be ready-made pickle bytes."""
    parts = [dumps(MAGIC), dumps(PROTOCOL), dumps(MACHINE if machine is None else machine)]
    parts.append(state if isinstance(state, bytes) else dumps(state))
    parts.append(dumps([storage.key for storage in storages]))
    parts += [struct.pack("<q", s.values.size) + s.values.tobytes() for s in storages]
    return b"".join(parts)


def save_zip(state: Any, storages: List[Storage], folder: str = "archive/", byteorder: bytes = b"little") -> bytes:
    """The whole file. `state` may be ready-made pickle bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{folder}data.pkl", state if isinstance(state, bytes) else dumps(state, 2, _ZipPickler))
        archive.writestr(f"{folder}byteorder", byteorder)
        for storage in storages:
            archive.writestr(f"{folder}data/{storage.key}", storage.values.tobytes())
        archive.writestr(f"{folder}version", "3\n")
    return stream.getvalue()


def whole(state: Dict[str, np.ndarray], write: Any = save) -> bytes:
    """A file of these arrays, each with a storage of its own."""
    storages = {name: Storage(str(index), np.ravel(array)) for index, (name, array) in enumerate(state.items())}
    tensors = OrderedDict()
    for name, array in state.items():
        strides = tuple(stride // array.itemsize for stride in np.ascontiguousarray(array).strides)
        tensors[name] = Tensor(storages[name], 0, array.shape, strides if array.shape else ())
    return write(tensors, list(storages.values()))
