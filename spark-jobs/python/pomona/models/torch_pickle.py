# SPDX-License-Identifier: Apache-2.0
"""Pickles of torch.save, read without torch and without trusting them.

A pickle is a program, so each one is scanned first: only opcodes that build plain data are allowed, memo slots are
bounded by the number of opcodes, and calls reach OrderedDict and one function of ours alone. What it builds is only a
description; it becomes arrays when every size is checked against the file.
"""

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from pomona.models import ModelError

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


class Storage(NamedTuple):
    """The numbers behind one or more tensors."""

    key: str
    dtype: str
    count: int


class _Tensor(NamedTuple):
    storage: Storage
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]


def load(stream: io.BytesIO, storages: Optional[Dict[str, Storage]] = None) -> Any:
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


def arrays(state: Any, storages: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Name -> array of a state dict: views of its storages, so that no description takes more memory than the file."""
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ModelError("holds no state dict: save model.state_dict(), not the model")
    return {name: _array(name, tensor, storages) for name, tensor in state.items()}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, storages: Dict[str, Storage]):
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

    def persistent_load(self, pid: Any) -> Storage:
        """("storage", type, key, device, count), and in old files None for no view of another storage."""
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or pid[5:] not in ((), (None,)):
            raise ModelError(f"unknown storage {str(pid)[:80]!r}")
        _, dtype, key, _device, count = pid[:5]
        if not isinstance(dtype, _Dtype) or not isinstance(key, str) or type(count) is not int or count < 0:
            raise ModelError(f"bad storage {str(pid)[:80]!r}")
        storage = Storage(key, dtype.name, count)
        if self._storages.setdefault(key, storage) != storage:
            raise ModelError(f"storage {key} is named with two types or sizes")
        return storage


def _describe(storage: Any, offset: Any, shape: Any, strides: Any, *_ignored: Any) -> _Tensor:
    """Stands in for torch._utils._rebuild_tensor_v2; the arguments are checked when the array is made."""
    return _Tensor(storage, offset, shape, strides)


def _check_opcodes(opcodes: List[Tuple[str, Any]]) -> None:
    for name, argument in opcodes:
        if name not in _OPCODES:
            raise ModelError(f"the pickle uses the opcode {name}, which a weights file does not need: refused")
        if name in ("BINPUT", "LONG_BINPUT") and argument > len(opcodes):
            raise ModelError(f"the pickle names memo slot {argument} but has {len(opcodes)} opcodes: refused")


def _array(name: str, tensor: Any, storages: Dict[str, np.ndarray]) -> np.ndarray:
    """The part of its storage that a tensor shows."""
    if not isinstance(tensor, _Tensor) or not isinstance(tensor.storage, Storage):
        raise ModelError(f"{name}: not a tensor")
    flat, (_, offset, shape, strides) = storages[tensor.storage.key], tensor
    if not _counts((offset,)) or not _counts(shape) or not _counts(strides) or len(shape) != len(strides):
        raise ModelError(f"{name}: bad offset, shape or strides")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides))
    if len(shape) > 8 or 0 in shape or last >= flat.size or math.prod(shape) > flat.size:
        raise ModelError(f"{name}: shape {shape} reaches beyond its storage of {flat.size} numbers")
    steps = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)


def _counts(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(value) is int and value >= 0 for value in values)
