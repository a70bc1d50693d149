# SPDX-License-Identifier: Apache-2.0
"""Files on disk: checksums, locks, and writing so that no one ever sees half a file."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator

CHUNK = 1 << 20


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The file's checksum in hex."""
    state = hashlib.new(algorithm)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            state.update(block)
    return state.hexdigest()


def mismatch(path: Path, published: Dict[str, Any]) -> str:
    """Why the file is not the published one, by all that was published of it: `bytes`, `sha256`, `sha256_prefix`,
    `md5`. "" when it is."""
    size = path.stat().st_size
    if published.get("bytes") not in (None, size):
        return f"{size} bytes (sha256 {digest(path)}), not {published['bytes']}"
    for key, algorithm in (("sha256", "sha256"), ("sha256_prefix", "sha256"), ("md5", "md5")):
        expected = published.get(key)
        found = digest(path, algorithm) if expected else ""
        if expected and not found.startswith(expected):
            return f"{algorithm} {found}, not {expected}{'...' if key == 'sha256_prefix' else ''}"
    return ""


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Only one process is in the block with this path; `waiting` is called when another one is. The empty file stays:
    whoever removed it would pull it from under a third."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
