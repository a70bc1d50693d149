# SPDX-License-Identifier: Apache-2.0
"""What `pomona pca` refuses: rows, counts, files and words."""

import numpy as np
import pytest

from support.built import run_cli
from support.pca_cli import check, draw, fit, refused, save


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bad_rows(tmp_path, value, dtype):
    rows = draw(3000, 9).astype(dtype)
    rows[2345, 6] = value
    save(tmp_path / "x.npy", rows)
    refused(
        run_cli("pca", "fit", "--k", 2, "--out", tmp_path / "m", tmp_path / "x.npy"), 3, "row 2345, column 6", "skip"
    )
    assert not (tmp_path / "m").exists()
    found = fit(tmp_path / "m", "--k", 9, "--bad-rows", "skip", tmp_path / "x.npy")
    assert (found.printed["rows"], found.printed["skipped"]) == ("2999", "1")
    check(found, np.delete(rows, 2345, 0))


@pytest.mark.parametrize(
    ("rows", "k", "words"),
    [((1, 4), 2, "at least two"), ((0, 4), 2, "at least two"), ((9, 4), 5, "1 to the 4 columns")],
)
def test_too_few(tmp_path, rows, k, words):
    save(tmp_path / "x.npy", np.ones(rows))
    refused(run_cli("pca", "fit", "--k", k, "--out", tmp_path / "m", tmp_path / "x.npy"), 3, words)


def test_no_variance(tmp_path):
    save(tmp_path / "x.npy", np.full((9, 3), 0.1))
    refused(run_cli("pca", "fit", "--variance", 0.9, "--out", tmp_path / "m", tmp_path / "x.npy"), 3, "give k")
    assert (fit(tmp_path / "m", "--k", 2, tmp_path / "x.npy").spectrum == 0).all()


def test_other_files(tmp_path):
    words = ("pca", "fit", "--k", 1, "--out", tmp_path / "m")
    for name, array in {
        "one axis": np.ones(5),
        "three axes": np.ones((2, 3, 4)),
        "Fortran order": np.asfortranarray(np.ones((3, 4))),
        "integers": np.ones((3, 4), np.int64),
        "big-endian": np.ones((3, 4), ">f8"),
    }.items():
        refused(run_cli(*words, save(tmp_path / f"{name}.npy", array)), 3, f"{name}.npy")
    whole = save(tmp_path / "whole.npy", np.ones((30, 4))).read_bytes()
    for length in (0, 5, 40, len(whole) - 1):
        (tmp_path / "cut.npy").write_bytes(whole[:length])
        refused(run_cli(*words, tmp_path / "cut.npy"), 3, "cut.npy")
    refused(run_cli(*words, tmp_path / "gone.npy"), 3, "gone.npy", "No such file")
    save(tmp_path / "wide.npy", np.ones((30, 5)))
    refused(run_cli(*words, tmp_path / "whole.npy", tmp_path / "wide.npy"), 3, "rows of 5 numbers")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["solve"],
        ["fit"],
        ["fit", "--k", "2"],
        ["fit", "--k", "0", "--out", "m", "x.npy"],
        ["fit", "--k", "2", "--variance", "0.5", "--out", "m", "x.npy"],
        ["fit", "--variance", "1.5", "--out", "m", "x.npy"],
        ["fit", "--k", "2", "--out", "m"],
        ["fit", "--out", "m", "x.npy"],
        ["fit", "--bad-rows", "drop", "--k", "2", "--out", "m", "x.npy"],
        ["merge", "s"],
        ["transform", "--out", "y.npy", "x.npy"],
    ],
)
def test_usage(words):
    assert run_cli("pca", *words).returncode == 2


@pytest.mark.parametrize("words", [[], ["fit"], ["merge"], ["transform"]])
def test_help(words):
    done = run_cli("pca", *words, "--help")
    assert done.returncode == 0 and "usage: pomona pca" in done.stdout and done.stderr == ""
