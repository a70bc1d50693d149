# SPDX-License-Identifier: Apache-2.0
"""The container: what is written is read back, other readers agree, and nothing damaged gets through."""

import json
import struct

import numpy as np
import pytest

from pomona.models import ModelError, container
from support import tiny_net

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b/ü": np.array([1.5, -2.0], np.float32)}


def test_round_trip():
    graph, tensors = container.read(container.write({"name": "net"}, TENSORS))
    assert graph["name"] == "net"
    assert list(tensors) == list(TENSORS)
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], tensor)


def test_same_content_gives_same_bytes():
    assert container.write({"name": "net"}, TENSORS) == container.write({"name": "net"}, dict(TENSORS))


def test_safetensors_package_reads_it(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model.safetensors"
    path.write_bytes(tiny_net.build())
    _, ours = container.read(path.read_bytes())
    theirs = safetensors.load_file(path)
    assert set(theirs) == set(ours)
    assert all(np.array_equal(theirs[name], ours[name]) for name in ours)


@pytest.mark.parametrize(
    "tensor", [np.array([np.nan]), np.array([1e300]), np.zeros((0, 3)), np.zeros((1,) * 9)], ids=str
)
def test_writer_refuses(tensor):
    with pytest.raises(ModelError, match="tensor x"), np.errstate(over="ignore"):
        container.write({}, {"x": tensor})


def _rewrite(data: bytes, change) -> bytes:
    """The file with its JSON header changed and its tensors kept."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    text = change(header)
    text = (text if isinstance(text, str) else json.dumps(header)).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def _change_entry(name, **values):
    return lambda header: header[name].update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_change_entry("a", dtype="F16"), "dtype F32"),
        (_change_entry("a", shape=[2, 4]), "do not hold"),
        (_change_entry("a", shape=[4194305, 4194305, 211106198978564]), "do not hold"),
        (_change_entry("a", shape=[2, -3]), "bad shape"),
        (_change_entry("a", shape=[2, 3, 0]), "bad shape"),
        (_change_entry("a", shape=[2.0, 3]), "bad shape"),
        (_change_entry("a", data_offsets=[4, 28]), "hole"),
        (_change_entry("b/ü", data_offsets=[20, 28]), "overlap"),
        (_change_entry("b/ü", data_offsets=[24, 36]), "end"),
        (lambda header: header.pop("b/ü") and None, "after the last tensor"),
        (lambda header: header.pop("__metadata__") and None, "no graph"),
        (lambda header: header["__metadata__"].update(pomona="{"), "not JSON"),
        (lambda header: header["__metadata__"].update(pomona='{"a":1,"a":2}'), "twice"),
        (lambda header: header["__metadata__"].update(pomona='{"crc32":{"a":1}}'), "same tensors"),
        (lambda header: json.dumps(header)[:-1] + ', "a": 1}', "twice"),
        (lambda header: "[" * 100_000, "not JSON"),
    ],
)
def test_reader_refuses_header(change, words):
    data = _rewrite(container.write({"name": "net"}, TENSORS), change)
    with pytest.raises(ModelError, match=words):
        container.read(data)


def test_reader_refuses_every_truncation():
    data = container.write({"name": "net"}, TENSORS)
    for length in range(len(data)):
        with pytest.raises(ModelError):
            container.read(data[:length])
    with pytest.raises(ModelError, match="after the last"):
        container.read(data + b"\0")


@pytest.mark.parametrize("length", [2**63, 2**24 + 1, 10**6])
def test_reader_refuses_header_length(length):
    with pytest.raises(ModelError, match="claims"):
        container.read(struct.pack("<Q", length) + b"{}")


def test_reader_refuses_one_flipped_bit_in_every_tensor_byte():
    data = bytearray(container.write({"name": "net"}, TENSORS))
    for position in range(len(data) - 32, len(data)):
        data[position] ^= 1
        with pytest.raises(ModelError, match="CRC-32"):
            container.read(bytes(data))
        data[position] ^= 1


def test_reader_refuses_values_that_are_not_finite():
    tensor = np.array([np.inf], "<f4")
    graph = json.dumps({"crc32": {"x": container.crc32(tensor)}})
    header = {"__metadata__": {"pomona": graph}, "x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    with pytest.raises(ModelError, match="finite"):
        container.read(struct.pack("<Q", len(text)) + text + tensor.tobytes())
