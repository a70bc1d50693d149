# SPDX-License-Identifier: Apache-2.0
"""Models and sessions of pomona.h: vectors from pixels, for benchmarks."""

import ctypes
from pathlib import Path
from typing import Tuple

import numpy as np

from support.library import call, load


class _Info(ctypes.Structure):
    """The first fields of pomona_model_info; `size` is that of the whole, which is larger than what is named here."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("provenance", ctypes.c_char_p),
        ("cpu_level", ctypes.c_char_p),
        ("input_height", ctypes.c_uint32),
        ("input_width", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 256),
    ]


class _ModelOptions(ctypes.Structure):
    """pomona_model_options."""

    _fields_ = [("size", ctypes.c_size_t), ("precision", ctypes.c_int)]


PRECISIONS = {"fp32": 1, "bf16": 3}  # of pomona_precision


class _Options(ctypes.Structure):
    """pomona_session_options; the image options stay zero: defaults."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("pooling", ctypes.c_int),
        ("batch", ctypes.c_uint32),
        ("image", ctypes.c_uint64 * 16),
    ]


class Session:
    """One model, one session; closed with the process."""

    def __init__(self, model: Path, batch: int, precision: str = "fp32"):
        self._library = load()
        opened, self._handle = ctypes.c_void_p(), ctypes.c_void_p()
        promise = _ModelOptions(ctypes.sizeof(_ModelOptions), PRECISIONS[precision])
        call(self._library.pomona_model_open, str(model).encode(), ctypes.byref(promise), ctypes.byref(opened))
        info = _Info(size=ctypes.sizeof(_Info))
        call(self._library.pomona_model_get_info, opened, ctypes.byref(info))
        self.shape: Tuple[int, int, int] = (info.input_height, info.input_width, 3)
        options = _Options(size=ctypes.sizeof(_Options), batch=batch)
        call(self._library.pomona_session_open, opened, ctypes.byref(options), ctypes.byref(self._handle))
        self._length = self._library.pomona_session_output_length(self._handle)

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [count, height, width, 3] to float32 [count, length]."""
        vectors = np.empty((len(pixels), self._length), np.float32)
        arguments = (pixels.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(pixels)))
        output = vectors.ctypes.data_as(ctypes.c_void_p)
        call(self._library.pomona_session_run_pixels, self._handle, *arguments, output)
        return vectors
