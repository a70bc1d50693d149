# SPDX-License-Identifier: Apache-2.0
"""One file over http(s), by way of the proxies of the environment. A connection that breaks is resumed, a busy server
is asked again. What has come stays beside the target as a hidden `.part` until all is there and its checksum is right.
"""

import contextlib
import http.client
import json
import os
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, Optional
from urllib.parse import urlsplit

from pomona import __version__
from pomona.models import ModelError
from pomona.models.files import CHUNK, mismatch
from pomona.models.proxies import by_way_of

TRIES = 4  # in a row that bring less than PROGRESS
PROGRESS = 1 << 20
PAUSE = 1.0  # seconds before the second try, doubled before each further one
LONGEST_PAUSE = 60.0  # whatever Retry-After asks for
TIMEOUT = 60.0  # seconds without a byte
REDIRECTS = 5
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Again(OSError):
    """What another try may cure."""

    def __init__(self, text: str, wait: float = 0.0):
        super().__init__(text)
        self.wait = wait


def download(address: str, published: Dict[str, Any], target: Path) -> None:
    """Brings the published file to `target`; `limit` among its facts bounds a size that nobody published."""
    part = _Part(target, address)
    while True:
        try:
            _bring(address, published, part)
        except ModelError:  # what came is of no use to a later fetch
            part.remove()
            raise
        problem = mismatch(part.path, published)
        if not problem:
            os.chmod(part.path, 0o644)
            os.replace(part.path, target)
            part.remove()
            return
        part.remove()
        if not part.joined:  # else the pieces may have been of two files: once more, from the start
            raise ModelError(f"what came is not {published['file']}: {problem}")


class _Part:
    """What has come so far, and a note of where from: only the same version of the same address may be added to."""

    def __init__(self, target: Path, address: str):
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")
        self._address = address
        self.joined = False  # of the answers to more than one request

    def size(self) -> int:
        """Bytes to go on from; 0 for a new start."""
        return self.path.stat().st_size if self.validator() and self.path.is_file() else 0

    def validator(self) -> str:
        """The ETag or date that If-Range needs, "" for none."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            return note["validator"] if note["address"] == self._address else ""
        except (OSError, ValueError, TypeError, KeyError):
            return ""

    def start(self, headers: Any) -> None:
        """Forgets what has come, and notes the version that comes now."""
        self.remove()
        self.joined = False
        etag = headers.get("ETag") or ""
        validator = headers.get("Last-Modified") or "" if etag.startswith("W/") or not etag else etag
        self._note.write_text(json.dumps({"address": self._address, "validator": validator}), encoding="utf-8")

    def leave(self) -> str:
        """Keeps what can be added to later, and says so."""
        if not self.size():
            self.remove()
            return ""
        return f"; {self.size()} bytes are kept, the next fetch goes on from there"

    def remove(self) -> None:
        for path in (self.path, self._note):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _bring(address: str, published: Dict[str, Any], part: _Part) -> None:
    """Tries until the whole body has come."""
    failures = 0
    while True:
        before = part.size()
        try:
            return _try(address, published, part)
        except _Again as error:
            failures = 1 if part.size() >= before + PROGRESS else failures + 1
            if failures >= TRIES:
                raise OSError(f"{error} ({TRIES} tries{part.leave()})") from error
            time.sleep(max(PAUSE * 2 ** (failures - 1), error.wait))


def _try(address: str, published: Dict[str, Any], part: _Part) -> None:
    headers = {"User-Agent": f"pomona/{__version__}", "Accept-Encoding": "identity"}
    if part.size():
        headers.update({"Range": f"bytes={part.size()}-", "If-Range": part.validator()})
    with _open(urllib.request.Request(address, headers=headers), part) as response:
        if response.status != 206:
            part.start(response.headers)
        elif (response.headers.get("Content-Range") or "").startswith(f"bytes {part.size()}-"):
            part.joined = True
        else:
            part.remove()
            raise _Again("the server went on from another place than asked")
        total = _total(response.headers, part, published)
        try:
            _append(response, part, total, published)
        except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            raise _Again(f"the connection broke: {error}") from error


def _open(request: urllib.request.Request, part: _Part) -> Any:
    """The answer to a request; each failure either an _Again or final."""
    opener = urllib.request.build_opener(_Redirects())  # reads the proxies of the environment now, unlike urlopen
    try:
        return opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # the part is no beginning of what the server has now
                part.remove()
            if error.code in _BUSY or error.code == 416:
                raise _Again(f"HTTP {error.code} {error.reason}", _retry_after(error.headers)) from error
            if error.code in (301, 302, 303, 307, 308):
                raise OSError(f"more than {REDIRECTS} redirections, or in a circle") from error
            raise OSError(f"HTTP {error.code} {error.reason}{by_way_of(request.full_url)}") from error
    except (http.client.InvalidURL, ValueError) as error:  # its text may hold half a password
        raise OSError(
            "address or proxy is malformed: percent-encode what is special in its user or password"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            cure = "if a proxy of your organisation signs, name its certificates in SSL_CERT_FILE"
            raise OSError(f"{reason}: {cure}") from error
        raise _Again(f"{reason}{by_way_of(request.full_url)}") from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = REDIRECTS
    max_repeats = 2

    def redirect_request(self, request: Any, *rest: Any) -> Any:
        """`rest` ends with the new address."""
        if urlsplit(request.full_url).scheme == "https" and urlsplit(rest[-1]).scheme != "https":
            raise ModelError("redirected from https to an address without encryption: refused")
        return super().redirect_request(request, *rest)


def _total(headers: Any, part: _Part, published: Dict[str, Any]) -> Optional[int]:
    """Bytes of the whole file as the server tells, within the limit and the room on disk."""
    length = headers.get("Content-Length") or ""
    if not length.isdecimal():
        return None
    total = part.size() + int(length)
    if total > _limit(published):
        raise ModelError(f"the server has {total} bytes: longer than the {_limit(published)} of {published['file']}")
    free = shutil.disk_usage(part.path.parent).free
    if int(length) > free:
        raise OSError(f"{part.path.parent} has {free >> 20} MiB free, {int(length) >> 20} MiB are to come")
    return total


def _limit(published: Dict[str, Any]) -> int:
    return published.get("bytes") or published["limit"]


def _append(response: Any, part: _Part, total: Optional[int], published: Dict[str, Any]) -> None:
    """Adds the body to the part. One that ends early is an error that a further try may cure."""
    done = part.size()
    progress = _Progress(published["file"], done, total)
    with open(part.path, "ab") as file:
        for block in iter(lambda: response.read1(CHUNK), b""):
            done += len(block)
            if done > _limit(published):
                raise ModelError(f"longer than the {_limit(published)} bytes of {published['file']}")
            file.write(block)
            progress.show(done)
    progress.end()
    if total is not None and done < total:
        raise _Again(f"the connection ended after {done} of {total} bytes")


class _Progress:
    """One line that is written over, on a terminal only."""

    def __init__(self, name: str, start: int, total: Optional[int]):
        self._name, self._start, self._total = name, start, total
        self._begin = self._shown = time.monotonic()
        self._wanted = sys.stderr.isatty()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if self._wanted and (now - self._shown > 0.1 or done == self._total):
            self._shown = now
            rate = (done - self._start) / max(now - self._begin, 1e-3)
            of = f" of {self._total / 2**20:.1f}" if self._total else ""
            text = f"\r{self._name}  {done / 2**20:.1f}{of} MiB  {rate / 2**20:.1f} MiB/s "
            print(text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._wanted:
            print(file=sys.stderr)


def _retry_after(headers: Any) -> float:
    text = (headers.get("Retry-After") or "").strip()
    return min(float(text), LONGEST_PAUSE) if text.isdecimal() else 0.0
