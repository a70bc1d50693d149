# SPDX-License-Identifier: Apache-2.0
"""States of `pomona pca`: grown, merged, made by several threads, and damaged."""

import numpy as np

from support.built import run_cli
from support.pca import assert_same_moment
from support.pca_cli import check, draw, fit, refused, save, words_of


def test_increments(tmp_path):
    """A state that grows equals one fit on all; so do merged states, in any number and order."""
    rows = draw(4000, 37, 5)
    months = [save(tmp_path / f"{i}.npy", part) for i, part in enumerate(np.array_split(rows, 40))]
    for month in months[:3]:
        fit(tmp_path / "m", "--overwrite", "--k", 5, "--state", tmp_path / "grown", month)
    done = run_cli("pca", "fit", "--state", tmp_path / "grown", *months[3:])
    assert words_of(done)["rows"] == "4000"
    for i, month in enumerate(months):
        assert run_cli("pca", "fit", "--state", tmp_path / f"{i}.state", month).returncode == 0
    order = np.random.default_rng(0).permutation(40)
    done = run_cli("pca", "merge", "--out", tmp_path / "merged", *(tmp_path / f"{i}.state" for i in order))
    assert words_of(done)["rows"] == "4000"
    assert run_cli("pca", "fit", "--state", tmp_path / "whole", save(tmp_path / "all.npy", rows)).returncode == 0
    for name in ("grown", "merged"):
        assert_same_moment(tmp_path / name, tmp_path / "whole")
        check(fit(tmp_path / f"from-{name}", "--k", 37, "--state", tmp_path / name), rows)


def test_state_and_model_are_written_together(tmp_path):
    """A refused run leaves the state as it was: it may be repeated."""
    save(tmp_path / "x.npy", draw(50, 6))
    fit(tmp_path / "m", "--k", 2, "--state", tmp_path / "s", tmp_path / "x.npy")
    before = (tmp_path / "s").read_bytes()
    words = ("pca", "fit", "--k", 2, "--state", tmp_path / "s", "--out", tmp_path / "m")
    refused(run_cli(*words, tmp_path / "x.npy"), 3, "exists", "--overwrite")
    assert (tmp_path / "s").read_bytes() == before
    save(tmp_path / "y.npy", draw(50, 7))
    refused(run_cli(*words, "--overwrite", tmp_path / "y.npy"), 3, "a state of 6 columns", "has 7")
    assert (tmp_path / "s").read_bytes() == before and not list(tmp_path.glob("**/*.partial"))


def test_threads_and_files(tmp_path):
    """Rows cut into files and shared among threads: the same state on every byte for any number of threads."""
    rows = draw(40000, 20, 6).astype(np.float32)
    save(tmp_path / "x.npy", rows)
    for threads in (1, 2, 5):
        words = ("pca", "fit", "--threads", threads, "--state", tmp_path / f"s{threads}", tmp_path / "x.npy")
        assert run_cli(*words).returncode == 0
    assert len({(tmp_path / f"s{threads}").read_bytes() for threads in (1, 2, 5)}) == 1
    check(fit(tmp_path / "m", "--k", 20, "--state", tmp_path / "s2"), rows)


def test_damaged_state(tmp_path):
    save(tmp_path / "x.npy", draw(30, 4))
    assert run_cli("pca", "fit", "--state", tmp_path / "s", tmp_path / "x.npy").returncode == 0
    data = bytearray((tmp_path / "s").read_bytes())
    data[-1] ^= 1
    (tmp_path / "s").write_bytes(data)
    refused(run_cli("pca", "fit", "--state", tmp_path / "s", tmp_path / "x.npy"), 3, tmp_path / "s", "CRC-32")
    refused(run_cli("pca", "merge", "--out", tmp_path / "o", tmp_path / "s"), 3, tmp_path / "s", "CRC-32")
    refused(run_cli("pca", "fit", "--state", tmp_path / "x.npy", tmp_path / "x.npy"), 3, "not a state")
