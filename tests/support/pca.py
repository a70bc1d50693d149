# SPDX-License-Identifier: Apache-2.0
"""Principal components by numpy in float64 and two passes, and how near to them others must come."""

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

import numpy as np

GAP = 1e-8  # of the largest eigenvalue: vectors whose eigenvalue is nearer to its neighbours are compared as a space


def relu_rows(rows: int, columns: int, seed: int = 1, rank: int = 24) -> np.ndarray:
    """Features like those of a CNN: a spectrum that falls, zeros where ReLU cut, some noise."""
    random = np.random.default_rng(seed)
    basis = random.standard_normal((rank, columns))
    hidden = random.standard_normal((rows, rank)) * np.linspace(3, 0.1, rank)
    return np.maximum(hidden @ basis + 0.3 * random.standard_normal((rows, columns)), 0).astype(np.float32)


@dataclass(frozen=True)
class Reference:
    mean: np.ndarray
    std: np.ndarray  # n - 1
    shares: np.ndarray  # of the variance, largest first
    components: np.ndarray  # as rows; in each the entry of largest magnitude is positive

    def k_for(self, share: float) -> int:
        return int(np.argmax(np.cumsum(self.shares) >= share - 1e-12)) + 1


def reference(rows: np.ndarray, standardize: bool = False) -> Reference:
    rows = np.asarray(rows, np.float64)
    mean = rows.mean(axis=0)
    centred = rows - mean
    mean, centred = mean + centred.mean(axis=0), centred - centred.mean(axis=0)
    std = np.sqrt((centred**2).sum(axis=0) / (len(rows) - 1))
    if standardize:
        centred = centred * np.divide(1, std, out=np.zeros_like(std), where=std > 0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, components = np.maximum(values[::-1], 0), vectors.T[::-1]
    return Reference(mean, std, values / values.sum(), signed(components))


def read_state(path: Path) -> Tuple[int, np.ndarray, np.ndarray]:
    """Rows, mean and co-moment of a state file, as docs/pca.md lays it out."""
    content = path.read_bytes()
    columns, rows = int.from_bytes(content[12:16], "little"), int.from_bytes(content[16:24], "little")
    numbers = np.frombuffer(content, "<f8", offset=64)
    mean, _, unit = numbers[: 3 * columns].reshape(3, columns)
    moment = np.zeros((columns, columns))
    moment[np.triu_indices(columns)] = numbers[3 * columns :]
    moment += np.triu(moment, 1).T
    return rows, mean, moment * unit * unit[:, None]


def assert_same_moment(path: Path, other: Path) -> None:
    """Two state files are of the same rows: their co-moments differ by 1e-12 of the Frobenius norm at most."""
    (rows, mean, moment), (others, other_mean, other_moment) = read_state(path), read_state(other)
    assert rows == others and np.linalg.norm(other_moment) > 0
    assert np.linalg.norm(moment - other_moment) <= 1e-12 * np.linalg.norm(other_moment)
    deviation = np.sqrt(np.diag(other_moment) / rows)
    assert (np.abs(mean - other_mean) <= 1e-12 * deviation + 4e-16 * np.abs(other_mean)).all()


def equal_pairs(columns: int) -> np.ndarray:
    """Rows whose variances, and so eigenvalues, are equal in pairs; turned, so that no axis is a component."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((columns, columns)))[0]
    axes = np.diag(1.0 + np.arange(columns) // 2)
    return np.r_[axes, -axes] @ turn


def signed(components: np.ndarray) -> np.ndarray:
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return components * np.where(largest < 0, -1, 1)


def assert_near(components: np.ndarray, shares: np.ndarray, expected: Reference, tolerance: float = 1e-6) -> None:
    """Shares within 1e-9 of the largest, vectors up to sign where their eigenvalue stands alone, else their spaces."""
    k = len(components)
    assert np.isfinite(components).all() and np.isfinite(shares).all()
    assert np.abs(shares[:k] - expected.shares[:k]).max() <= 1e-9 * expected.shares[0]
    for begin, end in groups(expected.shares):
        if end > k:  # a space of which only some vectors were asked for
            break
        ours, theirs = components[begin:end], expected.components[begin:end]
        if end - begin == 1:
            error = np.abs(ours[0] * np.sign(ours[0] @ theirs[0]) - theirs[0]).max()
        else:
            error = np.linalg.norm(ours.T @ ours - theirs.T @ theirs, 2)
        assert error <= tolerance, (begin, end, error)


def groups(shares: np.ndarray):
    """Ranges of neighbours that are nearer to each other than GAP."""
    edges = [0, *(np.flatnonzero(shares[:-1] - shares[1:] > GAP * shares[0]) + 1), len(shares)]
    return list(zip(edges[:-1], edges[1:]))
