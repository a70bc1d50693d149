# SPDX-License-Identifier: Apache-2.0
"""The co-moment of 22,688 x 1,280 floats against the fp64 multiply-add peak, and its 200 components against SciPy.

    python tests/bench/pca.py --markdown pca.md --json pca.json

CPU time of one thread. The peak is measured on registers in the same round; a co-moment counts as rows x columns x
(columns + 1) operations, so the ratio is the share of the peak that remains after packing, centring and the diagonal.
SciPy is left out where it is not installed; it reduces the same matrix, `eigh(subset_by_index=..., driver="evr")`."""

import ctypes
import importlib
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Callable, Tuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # SciPy's own library reads it when it is loaded

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import turns

from support.library import call, load

CALL = 2048  # rows of one update


class SolveOptions(ctypes.Structure):
    """pomona_pca_solve_options."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("k", ctypes.c_uint32),
        ("variance", ctypes.c_double),
        ("standardize", ctypes.c_int),
        ("threads", ctypes.c_uint32),
    ]


def fitted(pomona: ctypes.CDLL, rows: np.ndarray) -> ctypes.c_void_p:
    state, count, columns = ctypes.c_void_p(), *rows.shape
    call(pomona.pomona_pca_open, ctypes.c_uint32(columns), None, ctypes.byref(state))
    for first in range(0, count, CALL):
        part = rows[first : first + CALL]
        address, lengths = ctypes.c_void_p(part.ctypes.data), (ctypes.c_size_t(len(part)), ctypes.c_size_t(columns))
        call(pomona.pomona_pca_update_float, state, address, *lengths)
    return state


def fit(pomona: ctypes.CDLL, rows: np.ndarray) -> None:
    pomona.pomona_pca_close(fitted(pomona, rows))


def solve(pomona: ctypes.CDLL, state: ctypes.c_void_p, k: int) -> None:
    model = ctypes.c_void_p()
    options = SolveOptions(size=ctypes.sizeof(SolveOptions), k=k, threads=1)
    call(pomona.pomona_pca_solve, state, ctypes.byref(options), ctypes.byref(model))
    pomona.pomona_pca_model_close(model)


def milliseconds(work: Callable[[], None]) -> float:
    begin = time.thread_time()
    work()
    return (time.thread_time() - begin) * 1e3


def at_peak(pomona: ctypes.CDLL, shape: Tuple[int, int]) -> float:
    """Milliseconds for the operations at the peak rate; a vector holds half as many doubles as floats."""
    rate = pomona.pomona_cpu_peak() / (1 if pomona.pomona_cpu_level() == b"scalar" else 2)
    return shape[0] * shape[1] * (shape[1] + 1) / 2 / rate * 1e3


def draw(count: int, columns: int) -> np.ndarray:
    """Like features of a network: correlated, at least 0, one column always 0."""
    generator = np.random.default_rng(1)
    mix = generator.standard_normal((columns // 4, columns), dtype=np.float32)
    rows = generator.standard_normal((count, columns // 4), dtype=np.float32) @ mix
    rows[:, columns // 2] = 0
    return np.maximum(rows, 0)


def measure(options) -> turns.Report:
    pomona, rows = load(), draw(options.rows, options.columns)
    name, k = f"{options.rows} x {options.columns}", options.k
    about = {"Pomona": f"CPU level {pomona.pomona_cpu_level().decode()}"}
    report = turns.Report("Principal components", "Pomona", "ms", True, about=about)
    sides = {"Pomona": partial(milliseconds, partial(fit, pomona, rows)), "peak": partial(at_peak, pomona, rows.shape)}
    report.rows.append(turns.take_turns(f"co-moment of {name}", sides, options.rounds))
    state, matrix = fitted(pomona, rows), np.cov(rows, rowvar=False, dtype=np.float64)
    sides = {"Pomona": partial(milliseconds, partial(solve, pomona, state, k))}
    try:
        eigh = importlib.import_module("scipy.linalg").eigh
        wanted = [options.columns - k, options.columns - 1]
        sides["SciPy"] = partial(milliseconds, partial(eigh, matrix, subset_by_index=wanted, driver="evr"))
        report.about["SciPy"] = importlib.import_module("scipy").__version__
    except ImportError as error:
        print(f"SciPy is left out: {error}", file=sys.stderr)
    report.rows.append(turns.take_turns(f"{k} components of {options.columns} columns", sides, options.rounds))
    pomona.pomona_pca_close(state)
    return report


def main() -> None:
    parser = turns.arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=22688, metavar="N", help="default 22688")
    parser.add_argument("--columns", type=int, default=1280, metavar="N", help="default 1280")
    parser.add_argument("--k", type=int, default=200, metavar="N", help="default 200")
    options = parser.parse_args()
    with turns.pinned(options.core):
        turns.publish(measure(options), options)


if __name__ == "__main__":
    main()
