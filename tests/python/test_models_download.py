# SPDX-License-Identifier: Apache-2.0
"""Downloads from a server on this machine: what arrives, what is resumed or tried again, and what is refused."""

import base64
import hashlib
import io
import os
import shutil
import socket
import ssl
import subprocess
import sys

import pytest

from pomona.models import ModelError, download
from pomona.models.proxies import scrubbed
from support.web import BODY, HALF, OTHER, Server, serve

FACTS = {"file": "net.h5", "bytes": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}
UNSIZED = {"file": "net.h5", "limit": len(BODY) + 100, "md5": hashlib.md5(BODY).hexdigest()}


@pytest.fixture
def server():
    with serve() as server:
        yield server


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(download, "TIMEOUT", 20.0)
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def _be_impatient(monkeypatch, path):
    """With the servers that try it."""
    if path.startswith(("stalls", "drips")):
        monkeypatch.setattr(download, "TIMEOUT", Server.patience)


def _fetch(address, tmp_path, facts=FACTS):
    download.download(address, facts, tmp_path / "net.h5")
    assert (tmp_path / "net.h5").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["net.h5"]


@pytest.mark.parametrize("facts", [FACTS, UNSIZED, {**UNSIZED, "sha256_prefix": FACTS["sha256"][:8]}])
@pytest.mark.parametrize("path", ["whole", "without_length", "chunked", "drips", "moved"])
def test_arrives_whole(server, tmp_path, monkeypatch, path, facts):
    _be_impatient(monkeypatch, path)
    _fetch(server.url(path), tmp_path, facts)
    assert oct((tmp_path / "net.h5").stat().st_mode)[-3:] == "644"


@pytest.mark.parametrize("path", ["busy_once", "stalls_once", "half_untagged_once", "chunked_and_broken_once"])
def test_is_tried_again_from_the_start(server, tmp_path, monkeypatch, path):
    _be_impatient(monkeypatch, path)
    _fetch(server.url(path), tmp_path)
    assert len(server.asked) == 2
    assert server.headers[1]["Range"] is None


def test_goes_on_where_the_connection_broke(server, tmp_path):
    _fetch(server.url("half_once"), tmp_path)
    assert [headers["Range"] for headers in server.headers] == [None, f"bytes={HALF}-"]
    assert server.headers[1]["If-Range"] == f'"{hashlib.md5(BODY).hexdigest()}"'


def test_tries_are_counted_from_the_last_progress(server, tmp_path, monkeypatch):
    """A connection that breaks again and again, and brings half of the rest each time."""
    monkeypatch.setattr(download, "PROGRESS", 10_000)
    monkeypatch.setattr(download, "TRIES", 2)
    with pytest.raises(OSError, match=r"ended after \d+ of 3072000 bytes \(2 tries; \d+ bytes are kept"):
        download.download(server.url("breaks"), FACTS, tmp_path / "net.h5")
    assert len(server.asked) == 9  # the eighth brought 12,000 bytes, the ninth 6,000: less than PROGRESS


def test_a_later_fetch_goes_on(server, tmp_path):
    with pytest.raises(OSError, match=f"{HALF} bytes are kept, the next fetch goes on from there"):
        download.download(server.url("nothing_more"), FACTS, tmp_path / "net.h5")
    assert len(server.asked) == download.TRIES
    assert not (tmp_path / "net.h5").exists()
    server.asked.clear()
    server.headers.clear()
    note = tmp_path / ".net.h5.part.json"  # as if the publisher's address were the same
    note.write_text(note.read_text().replace("nothing_more", "whole"))
    _fetch(server.url("whole"), tmp_path)
    assert server.headers[0]["Range"] == f"bytes={HALF}-"


def test_a_stopped_fetch_goes_on_later(server, tmp_path, monkeypatch):
    def stop(progress, done):
        if done > HALF:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download._Progress, "show", stop)
        with pytest.raises(KeyboardInterrupt):
            download.download(server.url("whole"), FACTS, tmp_path / "net.h5")
    kept = (tmp_path / ".net.h5.part").stat().st_size
    assert HALF < kept <= len(BODY)
    _fetch(server.url("whole"), tmp_path)
    assert server.headers[1]["Range"] == f"bytes={kept}-"


@pytest.mark.parametrize("note", ["", "[]", '{"address": 5}', '{"address": "http://elsewhere/", "validator": "x"}'])
def test_a_part_of_unknown_origin_is_not_added_to(server, tmp_path, note):
    (tmp_path / ".net.h5.part").write_bytes(OTHER[:HALF])
    (tmp_path / ".net.h5.part.json").write_text(note)
    _fetch(server.url("whole"), tmp_path)
    assert server.headers[0]["Range"] is None


def test_a_file_that_changed_meanwhile_is_taken_anew(server, tmp_path):
    _fetch(server.url("changes"), tmp_path)
    assert "Range" in server.headers[1]


@pytest.mark.parametrize(("path", "requests"), [("mixes", 3), ("wrong_place", 3), ("range_refused", 3)])
def test_pieces_that_do_not_fit_are_dropped(server, tmp_path, path, requests):
    _fetch(server.url(path), tmp_path)
    assert len(server.asked) == requests
    assert "Range" not in server.headers[-1]


@pytest.mark.parametrize("facts", [FACTS, UNSIZED])
@pytest.mark.parametrize(
    ("path", "error", "words", "requests"),
    [
        ("other", ModelError, "what came is not net.h5: (sha256|md5) .*, not", 1),
        ("short", ModelError, "what came is not net.h5", 1),
        ("longer", ModelError, "longer|what came is not", 1),
        ("longer_without_length", ModelError, "longer than the", 1),
        ("missing", OSError, "HTTP 404 Not Found", 1),
        ("forbidden", OSError, "HTTP 403", 1),
        ("busy", OSError, r"HTTP 503 .*\(4 tries\)", 4),
        ("half_untagged", OSError, r"ended after \d+ of \d+ bytes \(4 tries\)", 4),
        ("stalls", OSError, r"timed out \(4 tries\)", 4),
        ("circle", OSError, "redirections, or in a circle", 3),
        ("far", OSError, "more than 5 redirections", 6),
    ],
)
def test_what_fails_leaves_nothing(server, tmp_path, monkeypatch, path, facts, error, words, requests):
    _be_impatient(monkeypatch, path)
    with pytest.raises(error, match=words):
        download.download(server.url(path), facts, tmp_path / "net.h5")
    assert len(server.asked) == requests
    assert list(tmp_path.iterdir()) == []


def test_pauses_grow_and_follow_retry_after(server, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    monkeypatch.setattr(download, "PAUSE", 1.0)
    for server.retry_after, expected in [
        ("0", [1, 2, 4]),
        ("3", [3, 3, 4]),
        ("999", [60, 60, 60]),
        ("soon", [1, 2, 4]),
    ]:
        pauses.clear()
        with pytest.raises(OSError, match="503"):
            download.download(server.url("busy"), FACTS, tmp_path / "net.h5")
        assert pauses == expected


def test_nobody_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"refused \(4 tries\)"):
            download.download(f"http://127.0.0.1:{free.getsockname()[1]}/x", FACTS, tmp_path / "net.h5")


def test_room_on_disk_is_looked_at_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1 << 20))
    with pytest.raises(OSError, match="has 1 MiB free, 2 MiB are to come"):
        download.download(server.url("whole"), FACTS, tmp_path / "net.h5")


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_alone(server, tmp_path, monkeypatch):
    for stream, shown in [(_Terminal(), True), (io.StringIO(), False)]:
        monkeypatch.setattr(sys, "stderr", stream)
        _fetch(server.url("whole"), tmp_path)
        (tmp_path / "net.h5").unlink()
        assert ("net.h5  2.9 of 2.9 MiB" in stream.getvalue()) is shown
        assert bool(stream.getvalue()) is shown


# ---- proxies, credentials, TLS ----------------------------------------------------------------------------------


def _use_proxy(monkeypatch, address):
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.setenv("no_proxy", "")


def test_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    server.proxy_authorization = "Basic " + base64.b64encode(b"me:se cret").decode()
    _use_proxy(monkeypatch, f"http://me:se%20cret@127.0.0.1:{server.server_port}")
    _fetch("http://weights.invalid/net.h5", tmp_path)
    assert server.asked == ["http://weights.invalid/net.h5"]


def test_no_proxy_is_heeded(server, tmp_path, monkeypatch):
    _use_proxy(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _fetch(server.url("whole"), tmp_path)


@pytest.mark.parametrize(
    "proxy",
    ["http://me:s3cr%65t@127.0.0.1:{port}", "http://me:s3cret@127.0.0.1:1", "http://me:s3c/ret@127.0.0.1:{port}"],
)
def test_no_message_holds_a_password(server, tmp_path, monkeypatch, proxy):
    server.proxy_authorization = "Basic other"
    _use_proxy(monkeypatch, proxy.format(port=server.server_port))
    with pytest.raises(OSError, match="proxy") as caught:
        download.download("http://weights.invalid/net.h5", FACTS, tmp_path / "net.h5")
    text = scrubbed(f"http://weights.invalid/net.h5: {caught.value}")
    assert "s3c" not in text and "me:" not in text
    assert "127.0.0.1" in text or "percent-encode" in text


def test_secrets_are_scrubbed_from_any_text(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://me:p%40ss@proxy:3128")
    text = scrubbed("tunnel to me:p%40ss with p@ss by http://me:p%40ss@proxy:3128/ from https://a:b@host/x")
    assert "p@ss" not in text and "p%40ss" not in text and "a:b" not in text
    assert "proxy:3128" in text and "host/x" in text


@pytest.fixture
def tls(tmp_path_factory):
    """A server with a certificate that nobody signed."""
    if not shutil.which("openssl"):
        pytest.skip("needs the program openssl for a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", "key", "-out", "cert"], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    with serve(lambda plain: context.wrap_socket(plain, server_side=True)) as server:
        yield server, folder / "cert"


def test_certificates_count_and_can_be_named(tls, tmp_path, monkeypatch):
    server, certificate = tls
    with pytest.raises(OSError, match="SSL_CERT_FILE"):
        download.download(server.url("whole", "https"), FACTS, tmp_path / "net.h5")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    _fetch(server.url("whole", "https"), tmp_path)


def test_encryption_is_not_given_up_on_the_way(tls, tmp_path, monkeypatch):
    server, certificate = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(ModelError, match="without encryption: refused"):
        download.download(server.url("unencrypted", "https"), FACTS, tmp_path / "net.h5")
