# SPDX-License-Identifier: Apache-2.0
"""Reads the tensors of a torch.save file in the zip layout: NAME/data.pkl describes them, NAME/data/KEY holds the
numbers of a storage, and nothing is compressed.
"""

import io
import zipfile
from typing import Dict

import numpy as np

from pomona.models import ModelError, torch_pickle

MAGIC = b"PK\x03\x04"
_PICKLE = "data.pkl"
_MOST_PICKLE = 64 << 20


def load(data: bytes) -> Dict[str, np.ndarray]:
    """Name -> array of the state dict in the file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _load(archive, len(data))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ModelError(f"damaged zip: {error}") from error


def _load(archive: zipfile.ZipFile, size: int) -> Dict[str, np.ndarray]:
    members = {info.filename: info for info in archive.infolist()}
    _check_members(archive, size)
    pickles = [name for name in members if name == _PICKLE or name.endswith("/" + _PICKLE)]
    if len(pickles) != 1 or members[pickles[0]].file_size > _MOST_PICKLE:
        raise ModelError(
            f"a zip, but no torch.save file: {len(pickles)} members are called {_PICKLE}, or it is too long"
        )
    folder = pickles[0][: -len(_PICKLE)]
    order = f"{folder}byteorder"
    if order in members and archive.read(order) != b"little":
        raise ModelError("written on a big-endian machine: not supported")
    known: Dict[str, torch_pickle.Storage] = {}
    state = torch_pickle.load(io.BytesIO(archive.read(pickles[0])), known)
    storages = {key: _storage(archive, f"{folder}data/{key}", storage) for key, storage in known.items()}
    return torch_pickle.arrays(state, storages)


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Stored as they are, each once, and together no more than the file: so reading them takes no more than that."""
    infos = archive.infolist()
    if len({info.filename for info in infos}) != len(infos):
        raise ModelError("a zip in which a name stands twice")
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ModelError(f"{info.filename}: is compressed, which torch.save never does")
    if sum(info.file_size for info in infos) > size:
        raise ModelError("a zip whose members overlap")


def _storage(archive: zipfile.ZipFile, name: str, storage: torch_pickle.Storage) -> np.ndarray:
    dtype = np.dtype(storage.dtype)
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise ModelError(f"storage {storage.key}: the file has no {name}") from error
    if info.file_size != storage.count * dtype.itemsize:
        raise ModelError(f"storage {storage.key}: {info.file_size} bytes do not hold {storage.count} of {dtype}")
    return np.frombuffer(archive.read(info), dtype)
