# SPDX-License-Identifier: Apache-2.0
"""Small baseline JPEGs of a kind that encoders do not write: any sampling factors, component counts and markers. The
picture is random coefficients, which is all that a comparison of two decoders needs."""

import struct
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

# One code length for all symbols keeps the coder trivial: code = index of the symbol in the table.
DC_SYMBOLS = list(range(12))
AC_SYMBOLS = [0x00, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 11)]
DC_LENGTH, AC_LENGTH = 4, 8


@dataclass
class Jpeg:
    """What to write. `sampling` holds (horizontal, vertical) of each component; `adobe` its APP14 transform."""

    width: int
    height: int
    sampling: Sequence[Tuple[int, int]]
    ids: Optional[Sequence[int]] = None
    adobe: Optional[int] = None
    jfif: bool = False
    restart: int = 0
    interleaved: bool = True
    frame_marker: int = 0xC0
    precision: int = 8
    trailer: bytes = b"\xff\xd9"
    before_frame: bytes = b""

    def encode(self, rng: np.random.Generator) -> bytes:
        scans = [range(len(self.sampling))] if self.interleaved else [[i] for i in range(len(self.sampling))]
        return b"".join(
            [b"\xff\xd8", self._tables(), self.before_frame, self._frame()]
            + [self._scan(rng, list(scan)) for scan in scans]
            + [self.trailer]
        )

    def _tables(self) -> bytes:
        parts = []
        if self.jfif:
            parts.append(_segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"))
        if self.adobe is not None:
            parts.append(_segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, self.adobe)))
        parts.append(_segment(0xDB, b"\0" + bytes(3 + i // 4 for i in range(64))))
        parts.append(_segment(0xC4, b"\x00" + _lengths(DC_LENGTH, DC_SYMBOLS)))
        parts.append(_segment(0xC4, b"\x10" + _lengths(AC_LENGTH, AC_SYMBOLS)))
        if self.restart:
            parts.append(_segment(0xDD, struct.pack(">H", self.restart)))
        return b"".join(parts)

    def _ids(self) -> Sequence[int]:
        return self.ids or range(1, len(self.sampling) + 1)

    def _frame(self) -> bytes:
        body = struct.pack(">BHHB", self.precision, self.height, self.width, len(self.sampling))
        for name, (h, v) in zip(self._ids(), self.sampling):
            body += bytes([name, h << 4 | v, 0])
        return _segment(self.frame_marker, body)

    def _scan(self, rng: np.random.Generator, members: List[int]) -> bytes:
        ids = list(self._ids())
        header = bytes([len(members)]) + b"".join(bytes([ids[i], 0]) for i in members) + b"\0\x3f\0"
        h_max, v_max = (max(s[axis] for s in self.sampling) for axis in (0, 1))
        if len(members) == 1:
            h, v = self.sampling[members[0]]
            units = _ceil(_ceil(self.width * h, h_max), 8) * _ceil(_ceil(self.height * v, v_max), 8)
            blocks = 1
        else:
            units = _ceil(self.width, 8 * h_max) * _ceil(self.height, 8 * v_max)
            blocks = sum(self.sampling[i][0] * self.sampling[i][1] for i in members)
        return _segment(0xDA, header) + self._data(rng, units, blocks)

    def _data(self, rng: np.random.Generator, units: int, blocks: int) -> bytes:
        step = self.restart or units
        parts = []
        for start in range(0, units, step):
            bits = "".join(_block(rng) for _ in range(min(step, units - start) * blocks))
            if start:
                parts.append(bytes([0xFF, 0xD0 + (start // step - 1) % 8]))
            parts.append(_pack(bits))
        return b"".join(parts)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _lengths(length: int, symbols: Sequence[int]) -> bytes:
    return bytes(len(symbols) if i == length else 0 for i in range(1, 17)) + bytes(symbols)


def _pack(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def _magnitude(value: int) -> Tuple[int, str]:
    size = abs(value).bit_length()
    return size, f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""


def _symbol(symbols: Sequence[int], length: int, symbol: int) -> str:
    return f"{symbols.index(symbol):0{length}b}"


def _block(rng: np.random.Generator) -> str:
    """A DC difference and up to four AC coefficients, most of them low ones."""
    size, bits = _magnitude(int(rng.integers(-60, 61)))
    code = _symbol(DC_SYMBOLS, DC_LENGTH, size) + bits
    position = 0
    for _ in range(int(rng.integers(0, 5))):
        run = int(rng.integers(0, 16)) if rng.random() < 0.2 else int(rng.integers(0, 3))
        if position + run + 1 > 63:
            break
        position += run + 1
        size, bits = _magnitude(int(rng.integers(1, 90)) * int(rng.choice([-1, 1])))
        code += _symbol(AC_SYMBOLS, AC_LENGTH, run << 4 | size) + bits
    return code if position == 63 else code + _symbol(AC_SYMBOLS, AC_LENGTH, 0)
