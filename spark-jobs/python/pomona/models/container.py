# SPDX-License-Identifier: Apache-2.0
"""The container of a model file: safetensors, read and written by hand.

The `safetensors` package would do the framing, but it orders tensors by itself, checks neither checksums nor values,
and would be one more compiled dependency on every machine that prepares models. The format is a length, a JSON object
and the bytes.
"""

import json
import math
import struct
import zlib
from typing import Any, Dict, List, Tuple

import numpy as np

from pomona.models import ModelError

MAX_HEADER = 16 << 20
MAX_TENSORS = 65_536
MAX_DIMENSIONS = 8
METADATA_KEY = "pomona"
_ALIGNMENT = 8  # of the tensor area; the format asks for 4, and the `safetensors` package writes 8

Tensors = Dict[str, np.ndarray]


def crc32(tensor: np.ndarray) -> int:
    """zlib's CRC-32 of the tensor's bytes as they lie in the file."""
    return zlib.crc32(np.ascontiguousarray(tensor, dtype="<f4"))


def write(graph: Dict[str, Any], tensors: Tensors) -> bytes:
    """The bytes of a model file. The same graph and tensors always give the same bytes."""
    if len(tensors) > MAX_TENSORS:
        raise ModelError(f"{len(tensors)} tensors; a model file holds at most {MAX_TENSORS}")
    blocks = {name: _checked(name, tensor) for name, tensor in tensors.items()}
    graph = {**graph, "crc32": {name: crc32(block) for name, block in blocks.items()}}
    entries: Dict[str, Any] = {"__metadata__": {METADATA_KEY: _compact(graph)}}
    offset = 0
    for name, block in blocks.items():
        end = offset + block.nbytes
        entries[name] = {"dtype": "F32", "shape": list(block.shape), "data_offsets": [offset, end]}
        offset = end
    header = _compact(entries).encode("utf-8")
    header += b" " * (-len(header) % _ALIGNMENT)
    if len(header) > MAX_HEADER:
        raise ModelError(f"the header takes {len(header)} bytes; at most {MAX_HEADER} are allowed")
    return b"".join([struct.pack("<Q", len(header)), header, *(block.tobytes() for block in blocks.values())])


def read(data: bytes) -> Tuple[Dict[str, Any], Tensors]:
    """Graph and tensors of a model file. Every offset, size, checksum and value is checked."""
    header, start = _read_header(data)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(METADATA_KEY), str):
        raise ModelError(f"no graph under __metadata__.{METADATA_KEY}: a safetensors file, but not one of Pomona's")
    graph = _parse(metadata[METADATA_KEY], "graph")
    tensors = _read_tensors(data, header, start)
    _verify(graph.get("crc32"), tensors)
    return graph, tensors


def _checked(name: str, tensor: np.ndarray) -> np.ndarray:
    if not isinstance(name, str) or not name or name == "__metadata__":
        raise ModelError(f"{name!r} cannot be the name of a tensor")
    block = np.ascontiguousarray(tensor, dtype="<f4")
    if block.size == 0 or block.ndim > MAX_DIMENSIONS:
        raise ModelError(f"tensor {name}: shape {block.shape} is empty or has over {MAX_DIMENSIONS} dimensions")
    if not np.isfinite(block).all():
        raise ModelError(f"tensor {name}: holds numbers that are not finite in 32 bits")
    return block


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found: Dict[str, Any] = dict(pairs)
    if len(found) != len(pairs):
        raise ModelError("the same name stands twice in one JSON object")
    return found


def _parse(text: str, what: str) -> Dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the {what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"the {what} is not a JSON object")
    return value


def _read_header(data: bytes) -> Tuple[Dict[str, Any], int]:
    if len(data) < 8:
        raise ModelError(f"{len(data)} bytes are too few for a model file")
    (length,) = struct.unpack_from("<Q", data)
    if length > MAX_HEADER or length > len(data) - 8:
        raise ModelError(f"the header claims {length} bytes: truncated, or not a safetensors file")
    try:
        text = bytes(data[8 : 8 + length]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"the header is not UTF-8: {error}") from error
    return _parse(text, "header"), 8 + length


def _read_tensors(data: bytes, header: Dict[str, Any], start: int) -> Tensors:
    if len(header) > MAX_TENSORS:
        raise ModelError(f"{len(header)} tensors; a model file holds at most {MAX_TENSORS}")
    tensors, position, size = {}, 0, len(data) - start
    for name, entry in header.items():
        shape, begin, end = _entry(name, entry)
        if begin != position or end > size:
            raise ModelError(f"tensor {name}: bytes {begin} to {end} overlap, leave a hole, or pass the file's end")
        if (start + begin) % 4 or end - begin != 4 * math.prod(shape):
            raise ModelError(f"tensor {name}: {end - begin} bytes at {begin} do not hold F32 of shape {shape}")
        tensors[name] = np.frombuffer(data, "<f4", math.prod(shape), start + begin).reshape(shape)
        position = end
    if position != size:
        raise ModelError(f"{size - position} bytes after the last tensor")
    return tensors


def _entry(name: str, entry: Any) -> Tuple[Tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or entry.get("dtype") != "F32":
        raise ModelError(f"tensor {name}: only dtype F32 is known")
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not _counts(shape) or len(shape) > MAX_DIMENSIONS or 0 in shape or not _counts(offsets) or len(offsets) != 2:
        raise ModelError(f"tensor {name}: bad shape {shape} or data_offsets {offsets}")
    return tuple(shape), offsets[0], offsets[1]


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _verify(expected: Any, tensors: Tensors) -> None:
    if not isinstance(expected, dict) or set(expected) != set(tensors):
        raise ModelError("the checksums under crc32 do not name the same tensors as the file")
    for name, tensor in tensors.items():
        if crc32(tensor) != expected[name]:
            raise ModelError(f"tensor {name}: wrong CRC-32; the file is damaged, convert or copy it again")
        if not np.isfinite(tensor).all():
            raise ModelError(f"tensor {name}: holds numbers that are not finite")
