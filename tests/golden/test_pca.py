# SPDX-License-Identifier: Apache-2.0
"""`pomona pca` against float64 in two passes, the arbiter, and scikit-learn: cases 28 to 34 of the list of faults."""

import json

import numpy as np
import pytest

from support.built import run_cli
from support.pca import turned
from support.pca_cli import arbiter, check, draw, fit, load, refused, save

SCALES = {"1e100": 10.0 ** np.arange(-100, 101, 20), "1e300": 10.0 ** np.arange(-300, 301, 60)}


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


SPECTRA = {  # deviations
    "pairs": 1.0 + np.arange(20) // 2,
    "half without variance": np.repeat([1.0, 0.0], 95),
    "one above many": np.r_[1e9, np.ones(60)],
    "close together": 1 + 1e-13 * np.arange(100),
    "sixteen decades": 10.0 ** -np.linspace(0, 16, 150),
}


@pytest.mark.parametrize("standardize", [[], ["--standardize"]], ids=["covariance", "correlation"])
@pytest.mark.parametrize("name", SPECTRA)
def test_equal_eigenvalues(tmp_path, name, standardize):
    """Equal or nearly so: they share a space, in the midst of which a k may end."""
    rows = turned(SPECTRA[name])
    save(tmp_path / "x.npy", rows)
    columns = rows.shape[1]
    for k in (1, 7, columns // 2 + 3, columns):
        check(fit(tmp_path / f"{k}", "--k", k, *standardize, tmp_path / "x.npy"), rows, bool(standardize))


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
