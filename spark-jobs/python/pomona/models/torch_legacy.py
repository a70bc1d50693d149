# SPDX-License-Identifier: Apache-2.0
"""Reads the tensors of an old torch.save file (before the zip layout) without torch and without trusting its pickles.

The file is five pickles and then the numbers: magic, protocol, machine facts, the state dict, the storage keys, and for
each key a count and that many values. A pickle is a program, so each one is scanned first: only opcodes that build
plain data are allowed, memo slots are bounded by the number of opcodes, and calls reach OrderedDict and one function
of ours alone. What it builds is only a description; it becomes arrays when every size is checked against the file.
"""

import io
import math
import pickle
import pickletools
import struct
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from pomona.models import ModelError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
_OPCODES = frozenset(
    "PROTO STOP MARK POP EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS "
    "NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE BINPUT LONG_BINPUT BINGET LONG_BINGET "
    "GLOBAL REDUCE BUILD BINPERSID".split()
)


class _Dtype(NamedTuple):
    name: str


class _Storage(NamedTuple):
    key: str
    dtype: str
    count: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]


def load(data: bytes) -> Dict[str, np.ndarray]:
    """Name -> array of the state dict in the file."""
    if data[:4] == b"PK\x03\x04":
        raise ModelError("a zip: this is torch.save's newer layout; save it with _use_new_zipfile_serialization=False")
    stream = io.BytesIO(data)
    if _load_pickle(stream) != _MAGIC or _load_pickle(stream) != _PROTOCOL:
        raise ModelError("not an old torch.save file: magic number or protocol differ")
    machine = _load_pickle(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ModelError("written on a big-endian machine: not supported")
    known: Dict[str, _Storage] = {}
    state, keys = _load_pickle(stream, known), _load_pickle(stream)
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ModelError("holds no state dict: save model.state_dict(), not the model")
    storages = _load_storages(stream, keys, known)
    return {name: _array(name, tensor, storages) for name, tensor in state.items()}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, storages: Dict[str, _Storage]):
        super().__init__(stream)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _describe
        if module == "torch" and name in _DTYPES:
            return _Dtype(_DTYPES[name])
        raise ModelError(f"the pickle asks for {module}.{name}, which a weights file does not need: refused")

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) != 6 or pid[0] != "storage" or pid[5] is not None:
            raise ModelError(f"unknown storage {str(pid)[:80]!r}")
        _, dtype, key, _device, count, _view = pid
        if not isinstance(dtype, _Dtype) or not isinstance(key, str) or type(count) is not int or count < 0:
            raise ModelError(f"bad storage {str(pid)[:80]!r}")
        storage = _Storage(key, dtype.name, count)
        if self._storages.setdefault(key, storage) != storage:
            raise ModelError(f"storage {key} is named with two types or sizes")
        return storage


def _describe(storage: Any, offset: Any, shape: Any, strides: Any, *_ignored: Any) -> _Tensor:
    """Stands in for torch._utils._rebuild_tensor_v2; the arguments are checked when the array is made."""
    return _Tensor(storage, offset, shape, strides)


def _load_pickle(stream: io.BytesIO, storages: Optional[Dict[str, _Storage]] = None) -> Any:
    """One pickle, from the stream's position to its STOP; the storages that it names are added to `storages`."""
    start = stream.tell()
    try:
        opcodes = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(stream)]
        end = stream.tell()
        _check_opcodes(opcodes)
        stream.seek(start)
        pickled = io.BytesIO(stream.read(end - start))
        return _Unpickler(pickled, {} if storages is None else storages).load()
    except ModelError:
        raise
    except Exception as error:  # a hostile pickle can raise almost anything
        raise ModelError(f"damaged pickle at byte {start}: {type(error).__name__}: {error}") from error


def _check_opcodes(opcodes: List[Tuple[str, Any]]) -> None:
    for name, argument in opcodes:
        if name not in _OPCODES:
            raise ModelError(f"the pickle uses the opcode {name}, which a weights file does not need: refused")
        if name in ("BINPUT", "LONG_BINPUT") and argument > len(opcodes):
            raise ModelError(f"the pickle names memo slot {argument} but has {len(opcodes)} opcodes: refused")


def _load_storages(stream: io.BytesIO, keys: Any, known: Dict[str, _Storage]) -> Dict[str, np.ndarray]:
    """Key -> the numbers that follow the pickles: for each key, in this order, a count and that many values."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(known):
        raise ModelError("the list of storage keys does not match the tensors")
    storages = {}
    for key in keys:
        dtype, count = np.dtype(known[key].dtype), known[key].count
        head = stream.read(8)
        if len(head) != 8 or struct.unpack("<q", head)[0] != count:
            raise ModelError(f"storage {key}: its count differs from the tensors', or the file is truncated")
        block = stream.read(count * dtype.itemsize)
        if len(block) != count * dtype.itemsize:
            raise ModelError(f"storage {key}: the file is truncated")
        storages[key] = np.frombuffer(block, dtype)
    if stream.read(1):
        raise ModelError("bytes after the last storage")
    return storages


def _array(name: str, tensor: Any, storages: Dict[str, np.ndarray]) -> np.ndarray:
    """A copy of the part of its storage that a tensor shows."""
    if not isinstance(tensor, _Tensor) or not isinstance(tensor.storage, _Storage):
        raise ModelError(f"{name}: not a tensor")
    flat, (_, offset, shape, strides) = storages[tensor.storage.key], tensor
    if not _counts((offset,)) or not _counts(shape) or not _counts(strides) or len(shape) != len(strides):
        raise ModelError(f"{name}: bad offset, shape or strides")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides))
    if len(shape) > 8 or 0 in shape or last >= flat.size or math.prod(shape) > flat.size:
        raise ModelError(f"{name}: shape {shape} reaches beyond its storage of {flat.size} numbers")
    steps = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps).copy()


def _counts(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(value) is int and value >= 0 for value in values)
