# SPDX-License-Identifier: Apache-2.0
"""Reads the tensors of an old torch.save file (before the zip layout).

The file is five pickles and then the numbers: magic, protocol, machine facts, the state dict, the storage keys, and for
each key a count and that many values.
"""

import io
import struct
from typing import Any, Dict

import numpy as np

from pomona.models import ModelError, torch_pickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def load(data: bytes) -> Dict[str, np.ndarray]:
    """Name -> array of the state dict in the file."""
    stream = io.BytesIO(data)
    if torch_pickle.load(stream) != _MAGIC or torch_pickle.load(stream) != _PROTOCOL:
        raise ModelError("not an old torch.save file: magic number or protocol differ")
    machine = torch_pickle.load(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ModelError("written on a big-endian machine: not supported")
    known: Dict[str, torch_pickle.Storage] = {}
    state, keys = torch_pickle.load(stream, known), torch_pickle.load(stream)
    return torch_pickle.arrays(state, _load_storages(stream, keys, known))


def _load_storages(stream: io.BytesIO, keys: Any, known: Dict[str, torch_pickle.Storage]) -> Dict[str, np.ndarray]:
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
