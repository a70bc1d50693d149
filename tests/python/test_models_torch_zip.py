# SPDX-License-Identifier: Apache-2.0
"""torch's zip files: tensors come out right, hostile ones are refused, and nothing takes more memory than the file."""

import contextlib
import io
import os
import pickle
import tracemalloc
import warnings
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from pomona.models import ModelError, torch_files, torch_zip
from support.torch_writer import Storage, Tensor, save_zip, whole

NUMBERS = Storage("7", np.arange(12, dtype=np.float32))
COUNT = Storage("8", np.array([5], np.int64))
STATE = OrderedDict(
    whole=Tensor(NUMBERS, 0, (3, 4), (4, 1)),
    transposed=Tensor(NUMBERS, 0, (4, 3), (1, 4)),
    scalar=Tensor(COUNT, 0, (), ()),
)


@pytest.mark.parametrize("folder", ["archive/", "resnet18/", ""])
def test_tensors_and_views_come_out_right(folder):
    tensors = torch_zip.load(save_zip(STATE, [NUMBERS, COUNT], folder))
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(tensors["whole"], grid)
    np.testing.assert_array_equal(tensors["transposed"], grid.T)
    assert tensors["scalar"] == 5


def test_the_layout_is_told_by_the_file(tmp_path):
    state = {"x": np.float32([[1, 2], [3, 4]])}
    for name, data in [("old", whole(state)), ("zip", whole(state, save_zip))]:
        path = tmp_path / name
        path.write_bytes(data)
        np.testing.assert_array_equal(torch_files.load(path)["x"], state["x"])
        path.write_bytes(data[:-30])
        with pytest.raises(ModelError, match=f"^{path}: "):
            torch_files.load(path)


class _Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("hostile", [_Calls(os.system, "touch hacked"), _Calls(eval, "open('hacked', 'w')")])
def test_hostile_pickles_are_refused_and_not_run(hostile, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="refused"):
        torch_zip.load(save_zip(pickle.dumps({"x": hostile}, 2), []))
    assert not list(tmp_path.iterdir())


def _zip(members, **options):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def _members():
    with zipfile.ZipFile(io.BytesIO(save_zip(STATE, [NUMBERS, COUNT]))) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _without(name):
    return [member for member in _members() if member[0] != name]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_zip(_members(), compression=zipfile.ZIP_DEFLATED), "data.pkl: is compressed"),
        (_zip([*_members(), ("archive/data/7", bytes(48))]), "stands twice"),
        (_zip([*_members(), ("other/data.pkl", b"")]), "2 members are called data.pkl"),
        (_zip([("readme", b"")]), "0 members are called data.pkl"),
        (_zip(_without("archive/data/7")), "storage 7: the file has no archive/data/7"),
        (_zip([*_without("archive/data/7"), ("archive/data/7", bytes(44))]), "storage 7: 44 bytes do not hold 12"),
        (save_zip(STATE, [NUMBERS, COUNT], byteorder=b"big"), "big-endian"),
        (save_zip([1, 2], []), "state dict"),
        (save_zip({"x": 5}, []), "not a tensor"),
        (save_zip({"x": Tensor(NUMBERS, 5, (8,), (1,))}, [NUMBERS]), "x: shape .* reaches beyond"),
    ],
    ids=str,
)
def test_other_and_damaged_files_are_named(data, words):
    with pytest.raises(ModelError, match=words):
        torch_zip.load(data)


def test_every_truncation_and_many_changes_are_refused_or_harmless():
    data = save_zip(STATE, [NUMBERS, COUNT])
    for length in range(len(data)):
        with pytest.raises(ModelError):
            torch_zip.load(data[:length])
    random = np.random.RandomState(0)
    for _ in range(2000):
        changed = bytearray(data)
        changed[random.randint(len(data))] ^= 1 << random.randint(8)
        with contextlib.suppress(ModelError):
            torch_zip.load(bytes(changed))


def test_a_description_takes_no_more_memory_than_the_file():
    """A thousand tensors that all show the same four megabytes."""
    numbers = Storage("0", np.zeros(1 << 20, np.float32))
    state = {f"x{number}": Tensor(numbers, 0, (1 << 20,), (1,)) for number in range(1000)}
    data = save_zip(state, [numbers])
    tracemalloc.start()
    assert len(torch_zip.load(data)) == 1000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(data)
