# SPDX-License-Identifier: Apache-2.0
"""Old torch files: tensors come out right, and a pickle that wants more than tensors is refused without being run."""

import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest

from pomona.models import ModelError, torch_legacy
from support.torch_writer import MACHINE, Storage, Tensor, dumps, save

NUMBERS = Storage("7", np.arange(12, dtype=np.float32))
COUNT = Storage("8", np.array([5], np.int64))


def test_tensors_and_views_come_out_right():
    state = OrderedDict(
        whole=Tensor(NUMBERS, 0, (3, 4), (4, 1)),
        transposed=Tensor(NUMBERS, 0, (4, 3), (1, 4)),
        part=Tensor(NUMBERS, 5, (2,), (3,)),
        scalar=Tensor(COUNT, 0, (), ()),
    )
    state._metadata = OrderedDict()
    tensors = torch_legacy.load(save(state, [NUMBERS, COUNT]))
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(tensors["whole"], grid)
    np.testing.assert_array_equal(tensors["transposed"], grid.T)
    np.testing.assert_array_equal(tensors["part"], [5, 8])
    assert tensors["scalar"] == 5
    assert tensors["scalar"].dtype == np.int64


class _Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "hostile",
    [_Calls(os.system, "touch hacked"), _Calls(eval, "open('hacked', 'w')"), _Calls(getattr, "x", "y"), io.BytesIO],
)
def test_hostile_pickles_are_refused_and_not_run(hostile, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="refused"):
        torch_legacy.load(save(pickle.dumps({"x": hostile}, protocol), []))
    assert not list(tmp_path.iterdir())


def test_the_refused_name_is_told():
    with pytest.raises(ModelError, match=r"torch\.storage\._load_from_bytes|torch\.load"):
        torch_legacy.load(save(b"\x80\x02ctorch\nload\n.", []))


@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x80\x02}r\xff\xff\xff\x7f.",  # LONG_BINPUT to slot 2**31 - 1: gigabytes of memo
        b"\x80\x02(ios\nsystem\n.",  # INST
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",  # STACK_GLOBAL
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x02X\xff\xff\xff\x7fabc.",  # a string longer than the file
        b"\x80\x02}",  # no STOP
        b"\x80\x02.",  # nothing on the stack
        b"\x80\x02}h\x05.",  # a memo slot that was never filled
        b"\xff",
        b"",
    ],
)
def test_damaged_pickles_are_refused(opcodes):
    with pytest.raises(ModelError, match="refused|damaged"):
        torch_legacy.load(dumps(torch_legacy._MAGIC) + dumps(torch_legacy._PROTOCOL) + dumps(MACHINE) + opcodes)


@pytest.mark.parametrize(
    "fields",
    [
        (NUMBERS, 0, (13,), (1,)),
        (NUMBERS, 1, (12,), (1,)),
        (NUMBERS, -1, (2,), (1,)),
        (NUMBERS, 0, (2,), (-1,)),
        (NUMBERS, 0, (2, 2), (1,)),
        (NUMBERS, 0, (10**9, 10**9), (0, 0)),
        (NUMBERS, 0, (0, 3), (1, 1)),
        (NUMBERS, 0, [2], [1]),
        (NUMBERS, 0, (True,), (1,)),
        (NUMBERS, 0, (1,) * 9, (0,) * 9),
        ("storage", 0, (1,), (1,)),
    ],
    ids=str,
)
def test_tensors_beyond_their_storage_are_refused(fields):
    with pytest.raises(ModelError, match="^x: "):
        torch_legacy.load(save({"x": Tensor(*fields), "y": Tensor(NUMBERS, 0, (12,), (1,))}, [NUMBERS]))


def test_storages_must_match_what_the_tensors_say():
    state = {"x": Tensor(NUMBERS, 0, (12,), (1,))}
    good = save(state, [NUMBERS])
    for bad, words in [
        (save(state, []), "keys"),
        (save(state, [NUMBERS, COUNT]), "keys"),
        (save({**state, "y": Tensor(Storage("7", np.zeros(3, np.int64)), 0, (1,), (1,))}, [NUMBERS]), "two types"),
        (good[:-1], "truncated"),
        (good[:-48] + b"\0" * 48, None),
        (good + b"\0", "after the last"),
        (good[: -48 - 8] + struct.pack("<q", 11) + good[-48:], "count"),
    ]:
        if words is None:
            assert not torch_legacy.load(bad)["x"].any()
            continue
        with pytest.raises(ModelError, match=words):
            torch_legacy.load(bad)


def test_other_files_are_named():
    for data, words in [
        (dumps(1) + dumps(2), "not an old torch.save file"),
        (save({}, [], machine={"little_endian": False}), "big-endian"),
        (save([1, 2], []), "state dict"),
        (save({"x": 5}, []), "not a tensor"),
    ]:
        with pytest.raises(ModelError, match=words):
            torch_legacy.load(data)


def test_every_truncation_is_refused():
    data = save({"x": Tensor(NUMBERS, 0, (12,), (1,))}, [NUMBERS])
    for length in range(len(data)):
        with pytest.raises(ModelError):
            torch_legacy.load(data[:length])
