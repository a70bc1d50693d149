# SPDX-License-Identifier: Apache-2.0
"""`pomona pca` and what it writes, and the arbiter of that: float64 in two passes."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from support.built import run_cli


class Fit(NamedTuple):
    """What a fit wrote and printed."""

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
