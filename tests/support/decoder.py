# SPDX-License-Identifier: Apache-2.0
"""The image calls of pomona.h: pixels from bytes."""

import ctypes
from typing import Optional, Tuple

import numpy as np

from support.library import call, load

# Values of pomona_resample, pomona_fit and pomona_corrupt_data.
FILTERS = {"nearest": 1, "box": 2, "bilinear": 3, "hamming": 4, "bicubic": 5, "lanczos": 6}
FITS = {"squash": 1, "crop": 2}
CORRUPT_DATA = {"reject": 1, "accept": 2}


class _Bytes(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class _Options(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("resample", ctypes.c_int),
        ("fit", ctypes.c_int),
        ("corrupt_data", ctypes.c_int),
        ("max_scans", ctypes.c_uint32),
        ("max_pixels", ctypes.c_uint64),
        ("max_bytes", ctypes.c_uint64),
        ("fast_decode", ctypes.c_int),
    ]


class Decoder:
    def __init__(self) -> None:
        self.library = load()

    def memory(self) -> int:
        return self.library.pomona_memory_in_use()

    def level(self) -> str:
        return self.library.pomona_cpu_level().decode()

    def decode(
        self,
        image: bytes,
        size: Tuple[int, int],
        resample: str = "bicubic",
        fit: str = "squash",
        corrupt_data: str = "reject",
        fast: bool = False,
    ) -> Tuple[str, Optional[np.ndarray]]:
        """The name of the reason, and the pixels [height, width, 3] if it is OK; `size` is (width, height)."""
        options = _Options(ctypes.sizeof(_Options), FILTERS[resample], FITS[fit], CORRUPT_DATA[corrupt_data])
        options.fast_decode = fast
        pixels = np.full((size[1], size[0], 3), 0xA5, np.uint8)
        reason = ctypes.c_int(-1)
        call(
            self.library.pomona_image_decode,
            _Bytes(image, len(image)),
            ctypes.byref(options),
            ctypes.c_uint32(size[0]),
            ctypes.c_uint32(size[1]),
            pixels.ctypes.data_as(ctypes.c_void_p),
            ctypes.byref(reason),
        )
        name = self.library.pomona_reason_name(reason).decode()
        if name != "OK":
            assert (pixels == 0xA5).all(), "pixels of a failed image were written"
            return name, None
        return name, pixels
