# SPDX-License-Identifier: Apache-2.0
"""emr-bootstrap/install.sh: from a folder and from a real S3 server, twice, and in every way that must fail."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from support import s3
from support.material import TOP

INSTALL = str(TOP / "emr-bootstrap/install.sh")
NOBODY = 65534


def install(source, expect, prefix, environment=None, user=None):
    command = ["bash", INSTALL, "--from", str(source), "--expect", expect, "--prefix", str(prefix)]
    if user is not None:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def refused(result, prefix, reason):
    """It failed, its last line says why, and nothing was left behind."""
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode != 0 and last.startswith("pomona install: FAILED: ") and reason in last, result.stderr
    assert not os.path.lexists(prefix)
    assert not list(Path(prefix).parent.glob(f"{Path(prefix).name}*"))


def sums_of(folder):
    return hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()


def list_again(folder):
    """Rewrites SHA256SUMS, as somebody who can write to the source would."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))
    return sums_of(folder)


def replace_line(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def copy(stage, tmp_path):
    """A copy of the stage that a test may spoil."""
    return Path(shutil.copytree(stage.folder, tmp_path / "copy"))


@pytest.fixture
def prefix(tmp_path):
    folder = tmp_path / "opt"
    folder.mkdir()
    return folder / "pomona"


def test_installs_and_the_second_run_changes_nothing(stage, prefix):
    first = install(stage.folder, stage.sha256, prefix)
    assert first.returncode == 0, first.stderr
    assert "self-test of model tiny_test_net passed" in first.stdout
    installed = prefix / "bin/pomona"
    assert subprocess.run([installed, "doctor"], capture_output=True).returncode == 0
    before = {path: path.stat().st_ctime_ns for path in prefix.parent.rglob("*")}
    second = install("/nowhere", stage.sha256, prefix)
    assert second.returncode == 0 and "nothing to do" in second.stdout, second.stderr
    assert before == {path: path.stat().st_ctime_ns for path in prefix.parent.rglob("*")}


def test_damaged_installation_is_replaced(stage, prefix):
    assert install(stage.folder, stage.sha256, prefix).returncode == 0
    (prefix / "models/tiny_test_net.safetensors").write_bytes(b"damaged")
    again = install(stage.folder, stage.sha256, prefix)
    assert again.returncode == 0 and "nothing to do" not in again.stdout, again.stderr
    assert (prefix / "models/tiny_test_net.safetensors").stat().st_size > 1000
    assert sorted(path.name for path in prefix.parent.iterdir()) == ["pomona", f"pomona-{stage.sha256[:12]}"]


def test_another_release_takes_the_place(stage, copy, prefix):
    assert install(stage.folder, stage.sha256, prefix).returncode == 0
    replace_line(copy / "RELEASE", "version=", "version=9.")
    assert install(copy, list_again(copy), prefix).returncode == 0
    assert (prefix / "RELEASE").read_text().startswith("version=9.")


def test_failed_upgrade_keeps_the_old_release(stage, copy, prefix):
    assert install(stage.folder, stage.sha256, prefix).returncode == 0
    (copy / "lib/libpomona.so").write_bytes(b"not a library")
    assert install(copy, list_again(copy), prefix).returncode != 0
    assert (prefix / "SHA256SUMS").read_bytes() == (stage.folder / "SHA256SUMS").read_bytes()


def test_tampered_file(copy, stage, prefix):
    library = copy / "lib/libpomona.so"
    data = bytearray(library.read_bytes())
    data[len(data) // 2] ^= 1
    library.write_bytes(data)
    refused(install(copy, stage.sha256, prefix), prefix, "sha256 mismatch, not installed: lib/libpomona.so")


def test_file_and_hash_replaced_together(copy, stage, prefix):
    (copy / "lib/libpomona.so").write_bytes(b"somebody else's library")
    list_again(copy)
    refused(install(copy, stage.sha256, prefix), prefix, "but --expect says")


def test_missing_artefact(copy, stage, prefix):
    (copy / "jars/pomona-spark.jar").unlink()
    refused(install(copy, stage.sha256, prefix), prefix, "jars/pomona-spark.jar is missing")


def test_artefact_that_is_not_listed(copy, prefix):
    (copy / "lib/libpomona_jni.so").unlink()
    refused(install(copy, list_again(copy), prefix), prefix, "SHA256SUMS does not list lib/libpomona_jni.so")


def test_name_that_leaves_the_folder(copy, prefix):
    with open(copy / "SHA256SUMS", "a") as sums:
        sums.write(f"{'0' * 64}  ../../etc/passwd\n")
    refused(install(copy, sums_of(copy), prefix), prefix, "a line that this script does not accept")


@pytest.mark.parametrize("expect", ["", "abc", "G" * 64])
def test_hash_that_is_none(stage, prefix, expect):
    refused(install(stage.folder, expect, prefix), prefix, "--expect needs the sha256")


def test_other_machine(copy, prefix):
    replace_line(copy / "RELEASE", f"machine={os.uname().machine}", "machine=s390x")
    refused(install(copy, list_again(copy), prefix), prefix, "these artefacts are for s390x")


def test_newer_c_library(copy, prefix):
    (copy / "RELEASE").write_text(f"version=1\nmachine={os.uname().machine}\nglibc=9.99\n")
    refused(install(copy, list_again(copy), prefix), prefix, "need glibc 9.99 or later, this machine has")


def test_library_that_cannot_be_loaded(copy, prefix):
    (copy / "lib/libpomona.so").write_bytes(b"not a library")
    refused(install(copy, list_again(copy), prefix), prefix, "cannot be loaded here")


def test_wrong_numbers_fail_the_self_test(copy, prefix):
    vector = copy / "selftest/tiny_test_net.csv"
    name, *numbers = vector.read_text().strip().splitlines()[-1].split(",")
    vector.write_text(",".join([name, *(str(float(number) * 1.001) for number in numbers)]) + "\n")
    refused(install(copy, list_again(copy), prefix), prefix, "gives wrong numbers on this machine")


def test_prefix_without_parent_folder(stage, tmp_path):
    prefix = tmp_path / "absent/pomona"
    refused(install(stage.folder, stage.sha256, prefix), prefix, "does not exist; create it or choose another --prefix")


def test_folder_of_somebody_else_is_left_alone(stage, prefix):
    prefix.mkdir()
    result = install(stage.folder, stage.sha256, prefix)
    assert result.returncode != 0 and "is no link of this script" in result.stderr
    assert [path.name for path in prefix.parent.iterdir()] == ["pomona"]


@pytest.mark.skipif(os.geteuid() != 0, reason="changing the user needs root")
def test_unwritable_prefix_without_sudo(stage):
    prefix = Path("/opt/pomona-test-unwritable")
    readable = {**os.environ, "PATH": "/usr/bin:/bin"}
    script = subprocess.run(["setpriv", f"--reuid={NOBODY}", "test", "-r", INSTALL]).returncode
    if script != 0:
        pytest.skip("the checkout cannot be read by other users")
    refused(install(stage.folder, stage.sha256, prefix, readable, NOBODY), prefix, "cannot write to /opt")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 300 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(stage, small_disk):
    refused(install(stage.folder, stage.sha256, small_disk / "pomona"), small_disk / "pomona", "(disk full?)")
    assert not list(small_disk.iterdir())


@pytest.fixture(scope="module")
def bucket(stage, tmp_path_factory):
    with s3.server(tmp_path_factory.mktemp("s3")) as server:
        server.aws("s3", "mb", "s3://artefacts")
        server.aws("s3", "cp", "--recursive", "--only-show-errors", str(stage.folder), "s3://artefacts/pomona")
        yield server


def install_from_s3(bucket, expect, prefix, source="s3://artefacts/pomona", **changes):
    command = ["bash", INSTALL, "--from", source, "--expect", expect, "--prefix", str(prefix)]
    command += ["--region", "us-east-1", "--endpoint-url", bucket.endpoint]
    return subprocess.run(command, env={**bucket.environment, **changes}, capture_output=True, text=True)


def test_from_s3(bucket, stage, prefix):
    result = install_from_s3(bucket, stage.sha256, prefix)
    assert result.returncode == 0, result.stderr
    listed = subprocess.run(["sha256sum", "--status", "-c", "SHA256SUMS"], cwd=prefix)
    assert listed.returncode == 0


def test_s3_key_that_is_not_there(bucket, stage, prefix):
    result = install_from_s3(bucket, stage.sha256, prefix, "s3://artefacts/elsewhere")
    refused(result, prefix, "cannot fetch s3://artefacts/elsewhere/SHA256SUMS")
    assert "404" in result.stderr


def test_s3_wrong_secret(bucket, stage, prefix):
    result = install_from_s3(bucket, stage.sha256, prefix, AWS_SECRET_ACCESS_KEY="wrong")
    refused(result, prefix, "cannot fetch s3://artefacts/pomona/SHA256SUMS")
    assert "403" in result.stderr


def test_s3_server_that_does_not_answer(bucket, stage, prefix):
    nobody = replace(bucket, endpoint="http://127.0.0.1:1")
    result = install_from_s3(nobody, stage.sha256, prefix, AWS_MAX_ATTEMPTS="2")
    refused(result, prefix, "cannot fetch s3://artefacts/pomona/SHA256SUMS")


def test_s3_without_the_aws_command(bucket, stage, prefix, tmp_path):
    only = tmp_path / "bin"
    only.mkdir()
    for name in "bash mktemp dirname basename readlink chown env id rm mkdir".split():
        (only / name).symlink_to(shutil.which(name))
    refused(install_from_s3(bucket, stage.sha256, prefix, PATH=str(only)), prefix, "aws) is not on PATH")
