# SPDX-License-Identifier: Apache-2.0
"""pomona.h through ctypes, on the library that the build left."""

import ctypes
from typing import Callable

from support.built import built

# What does not return a pomona_status.
_RETURNS = {
    "pomona_cpu_level": ctypes.c_char_p,
    "pomona_cpu_peak": ctypes.c_double,
    "pomona_memory_in_use": ctypes.c_uint64,
    "pomona_pca_close": None,
    "pomona_pca_model_close": None,
    "pomona_reason_name": ctypes.c_char_p,
    "pomona_session_output_length": ctypes.c_size_t,
}


class _Error(ctypes.Structure):
    """pomona_error."""

    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 512)]


def load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(built("lib/libpomona.so")))
    for name, result in _RETURNS.items():
        getattr(library, name).restype = result
    return library


def call(function: Callable[..., int], *arguments: object) -> None:
    """Calls what takes a pomona_error after these arguments; a failure becomes a RuntimeError with its message."""
    error = _Error()
    if function(*arguments, ctypes.byref(error)):
        raise RuntimeError(error.message.decode())
