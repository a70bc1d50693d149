# SPDX-License-Identifier: Apache-2.0
"""`pomona pca` against float64 in two passes, the arbiter, and scikit-learn: cases 28 to 34 of the list of faults."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from support.built import run_cli
from support.pca import assert_same_moment, equal_pairs

SCALES = {"1e100": 10.0 ** np.arange(-100, 101, 20), "1e300": 10.0 ** np.arange(-300, 301, 60)}


class Fit(NamedTuple):
    components: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    ratios: np.ndarray
    spectrum: np.ndarray
    printed: dict


def draw(rows: int, columns: int, seed: int = 0, rank: int = 0) -> np.ndarray:
    """Correlated rows; a spectrum that decays as features' do."""
    generator = np.random.default_rng(seed)
    rank = rank or columns
    mix = generator.standard_normal((rank, columns)) * (0.9 ** np.arange(rank))[:, None]
    return generator.standard_normal((rows, rank)) @ mix + generator.standard_normal(columns)


def save(path: Path, rows: np.ndarray) -> Path:
    np.save(path, rows)
    return path


def words_of(done) -> dict:
    return dict(word.split("=", 1) for word in done.stdout.split())


def load(folder: Path, done) -> Fit:
    names = ("components", "mean", "std", "explained_variance", "spectrum")
    return Fit(*(np.load(folder / f"{name}.npy") for name in names), words_of(done))


def fit(folder: Path, *words) -> Fit:
    done = run_cli("pca", "fit", *words, "--out", folder)
    assert (done.returncode, done.stderr) == (0, "")
    return load(folder, done)


def refused(done, status: int, *words) -> None:
    assert done.returncode == status and done.stdout == "", done
    for word in words:
        assert str(word) in done.stderr


def arbiter(rows: np.ndarray, standardize: bool):
    """Eigenvalues, largest first, vectors in rows, mean and deviation: two passes in float64, or wider."""
    wide = rows.astype(np.longdouble)
    mean = wide.mean(0)
    centred = wide - mean
    std = np.sqrt((centred**2).sum(0) / (len(rows) - 1))
    std[(rows == rows[0]).all(0)] = 0
    if standardize:
        centred = np.divide(centred, std, out=np.zeros_like(centred), where=std > 0)
    centred = centred.astype(np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return values[::-1], vectors.T[::-1], mean.astype(np.float64), std.astype(np.float64)


def clusters(values: np.ndarray, k: int):
    """Runs of eigenvalues closer than 1e-8 of the largest, which only their subspace tells apart."""
    first = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i - 1] - values[i] > 1e-8 * values[0]:
            if i <= k:
                yield first, i
            first = i


def check(found: Fit, rows: np.ndarray, standardize: bool = False) -> None:
    values, vectors, mean, std = arbiter(rows, standardize)
    k = len(found.components)
    shares = np.maximum(values, 0) / np.maximum(values, 0).sum()
    np.testing.assert_allclose(found.spectrum, shares, rtol=0, atol=1e-9 * shares[0])
    assert np.array_equal(found.ratios, found.spectrum[:k])
    np.testing.assert_allclose(found.std, std, rtol=1e-12)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-14, atol=1e-13 * std.max())
    for first, last in clusters(values, k):
        ours, theirs = found.components[first:last], vectors[first:last]
        if last - first == 1:
            assert np.abs(ours - theirs * np.sign(theirs @ ours.T)).max() < 1e-6
        assert np.linalg.norm(ours.T @ ours - theirs.T @ theirs, 2) < 1e-6
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(k), atol=1e-12)
    largest = np.abs(found.components).argmax(1)
    assert (found.components[np.arange(k), largest] > 0).all()


# ---- against the arbiter ----


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_components(tmp_path, level, standardize, dtype):
    rows = draw(700, 130).astype(dtype)
    words = ["--standardize"] if standardize else []
    done = run_cli(
        *("pca", "fit", "--k", 40, *words, "--out", tmp_path / "m", save(tmp_path / "x.npy", rows)), level=level
    )
    assert done.returncode == 0, done.stderr
    check(load(tmp_path / "m", done), rows, standardize)


def test_reluish_features(tmp_path):
    """Columns of zeros, columns that are seldom above it, k beyond the rank."""
    rows = np.maximum(draw(150, 200, 1) - 1, 0).astype(np.float32)
    rows[:, ::7] = 0
    for standardize in ([], ["--standardize"]):
        found = fit(tmp_path / f"m{len(standardize)}", "--k", 200, *standardize, save(tmp_path / "x.npy", rows))
        check(found, rows, bool(standardize))
        assert (found.spectrum[149:] < 1e-14).all() and np.isfinite(found.components).all()
        assert (found.std[::7] == 0).all()


@pytest.mark.parametrize("offset", [1e8, -1e8])
def test_huge_means(tmp_path, offset):
    rows = np.random.default_rng(2).standard_normal((3000, 60)) * (1 + np.arange(60) / 10) + offset
    check(fit(tmp_path / "m", "--k", 60, save(tmp_path / "x.npy", rows)), rows)
    check(fit(tmp_path / "s", "--k", 60, "--standardize", tmp_path / "x.npy"), rows, True)


@pytest.mark.parametrize("name", SCALES)
def test_scales(tmp_path, name):
    """Columns down to 1 / name and up to it, side by side."""
    plain = draw(600, 44, 3)
    scale = np.resize(SCALES[name], 44)
    save(tmp_path / "x.npy", plain * scale)
    save(tmp_path / "plain.npy", plain)
    found = fit(tmp_path / "m", "--k", 44, "--standardize", tmp_path / "x.npy")
    check(fit(tmp_path / "p", "--k", 44, "--standardize", tmp_path / "plain.npy"), plain, True)
    check(found._replace(mean=found.mean / scale, std=found.std / scale), plain, True)


def test_equal_eigenvalues(tmp_path):
    """Pairs of them share a plane, and an odd k ends in the midst of one."""
    rows = equal_pairs(20)
    check(fit(tmp_path / "m", "--k", 7, save(tmp_path / "x.npy", rows)), rows)
    found = fit(tmp_path / "all", "--k", 20, tmp_path / "x.npy")
    check(found, rows)
    np.testing.assert_allclose(found.spectrum[::2], found.spectrum[1::2], rtol=1e-12)


def test_one_column(tmp_path):
    rows = draw(50, 1)
    found = fit(tmp_path / "m", "--k", 1, save(tmp_path / "x.npy", rows))
    check(found, rows)
    assert found.components.tolist() == [[1.0]]


def test_scikit_learn(tmp_path):
    decomposition = pytest.importorskip("sklearn.decomposition", reason="scikit-learn is not installed")
    rows = draw(900, 50, 4)
    save(tmp_path / "x.npy", rows)
    theirs = decomposition.PCA(20, svd_solver="full").fit(rows)
    found = fit(tmp_path / "m", "--k", 20, tmp_path / "x.npy")
    np.testing.assert_allclose(found.ratios, theirs.explained_variance_ratio_, rtol=1e-10)
    assert (
        run_cli(
            *(
                "pca",
                "transform",
                "--center",
                "--model",
                tmp_path / "m",
                "--out",
                tmp_path / "y.npy",
                tmp_path / "x.npy",
            )
        ).returncode
        == 0
    )
    sign = np.sign((found.components * theirs.components_).sum(1))
    np.testing.assert_allclose(np.load(tmp_path / "y.npy") * sign, theirs.transform(rows), atol=1e-9)


def test_any_matrix(tmp_path):
    """Matrices that hypothesis thinks of: equal rows and columns, zeros, few rows, whole numbers, odd magnitudes."""
    hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp

    number = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6), st.sampled_from([0.1, 1e8, 1e8 + 1]))
    shape = st.tuples(st.integers(2, 12), st.integers(1, 9))

    @hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
    @hypothesis.given(hnp.arrays(np.float64, shape, elements=number), st.booleans())
    def holds(rows, standardize):
        words = ["--standardize"] if standardize else []
        found = fit(tmp_path / "m", "--overwrite", "--k", rows.shape[1], *words, save(tmp_path / "x.npy", rows))
        assert np.isfinite(found.components).all() and np.isfinite(found.spectrum).all()
        if (rows == rows[0]).all():
            assert (found.spectrum == 0).all() and (found.std == 0).all()
            return
        values, _, mean, std = arbiter(rows, standardize)
        shares = np.maximum(values, 0) / np.maximum(values, 0).sum()
        np.testing.assert_allclose(found.spectrum, shares, rtol=0, atol=1e-8)
        np.testing.assert_allclose(found.std, std, rtol=1e-9, atol=1e-300)
        np.testing.assert_allclose(found.components @ found.components.T, np.eye(rows.shape[1]), atol=1e-12)

    holds()


# ---- states ----


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


# ---- k ----


def test_variance_target(tmp_path):
    save(tmp_path / "x.npy", draw(500, 60, 7))
    for share in (0.5, 0.8, 0.9, 0.95, 0.99, 1):
        found = fit(tmp_path / f"{share}", "--variance", share, tmp_path / "x.npy")
        k = int(np.searchsorted(np.cumsum(found.spectrum), share - 1e-12)) + 1
        assert len(found.components) == int(found.printed["k"]) == k
        if 0.5 < share < 1:
            assert found.printed[f"k{round(share * 100)}"] == str(k)
        assert float(found.printed["variance"]) >= share - 1e-6


def test_model_file(tmp_path):
    fit(tmp_path / "m", "--k", 3, "--standardize", save(tmp_path / "x.npy", draw(30, 4)))
    facts = json.loads((tmp_path / "m/model.json").read_text())
    assert (facts["k"], facts["columns"], facts["rows"], facts["standardize"]) == (3, 4, 30, True)


# ---- transform ----


@pytest.mark.parametrize("standardize", [False, True])
def test_transform(tmp_path, standardize):
    rows = draw(2500, 70, 8)
    rows[:, 5] = 2
    words = ["--standardize"] if standardize else []
    found = fit(tmp_path / "m", "--k", 30, *words, save(tmp_path / "x.npy", rows))
    for center in ([], ["--center"]):
        done = run_cli(
            "pca", "transform", "--model", tmp_path / "m", *center, "--out", tmp_path / "y.npy", tmp_path / "x.npy"
        )
        assert (done.returncode, done.stderr) == (0, "")
        shifted = rows - found.mean if center or standardize else rows
        if standardize:
            shifted = np.divide(shifted, found.std, out=np.zeros_like(rows), where=found.std > 0)
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), shifted @ found.components.T, rtol=1e-11, atol=1e-12)


def test_transform_of_bad_rows(tmp_path):
    rows = draw(20, 5)
    fit(tmp_path / "m", "--k", 2, save(tmp_path / "x.npy", rows))
    rows[3, 1], rows[9, 4] = np.nan, np.inf
    words = ("pca", "transform", "--model", tmp_path / "m", "--out", tmp_path / "y.npy", save(tmp_path / "z.npy", rows))
    refused(run_cli(*words), 1, "2 rows")
    assert np.isnan(np.load(tmp_path / "y.npy")).all(1).nonzero()[0].tolist() == [3, 9]


# ---- what is refused ----


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


def test_damaged_state(tmp_path):
    save(tmp_path / "x.npy", draw(30, 4))
    assert run_cli("pca", "fit", "--state", tmp_path / "s", tmp_path / "x.npy").returncode == 0
    data = bytearray((tmp_path / "s").read_bytes())
    data[-1] ^= 1
    (tmp_path / "s").write_bytes(data)
    refused(run_cli("pca", "fit", "--state", tmp_path / "s", tmp_path / "x.npy"), 3, tmp_path / "s", "CRC-32")
    refused(run_cli("pca", "merge", "--out", tmp_path / "o", tmp_path / "s"), 3, tmp_path / "s", "CRC-32")
    refused(run_cli("pca", "fit", "--state", tmp_path / "x.npy", tmp_path / "x.npy"), 3, "not a state")


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
