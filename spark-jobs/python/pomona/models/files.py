# SPDX-License-Identifier: Apache-2.0
"""Files on disk: checksums, and writing so that no one ever sees half a file."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO, Iterator

CHUNK = 1 << 20


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The file's checksum in hex."""
    state = hashlib.new(algorithm)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            state.update(block)
    return state.hexdigest()


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
