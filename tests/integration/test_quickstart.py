# SPDX-License-Identifier: Apache-2.0
"""What quickstart.sh and test.sh refuse before they install or build anything."""

import subprocess

import pytest

from support.material import TOP


def run(script, *options):
    return subprocess.run(
        [str(TOP / script), *map(str, options)], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
    )


def test_help_names_every_option():
    done = run("quickstart.sh", "--help")
    assert done.returncode == 0
    for option in ("--images", "--model", "--variance", "--out", "--overwrite"):
        assert option in done.stdout


@pytest.mark.parametrize(
    "options, status, words",
    [
        (["--image", "x"], 2, "unknown option --image"),
        (["--images"], 2, "--images needs a value"),
        (["--variance", "90"], 2, "--variance 90"),
        (["--variance", "0"], 2, "--variance 0"),
        (["--variance", "many"], 2, "--variance many"),
        (["--images", "absent/folder"], 3, "absent/folder"),
        (["--model", "absent/net.safetensors"], 3, "absent/net.safetensors"),
    ],
)
def test_usage(options, status, words, tmp_path):
    done = run("quickstart.sh", "--out", tmp_path / "out", *options)
    assert done.returncode == status
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_existing_folder_is_refused(tmp_path):
    (tmp_path / "kept").write_text("mine")
    done = run("quickstart.sh", "--out", tmp_path)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert (tmp_path / "kept").read_text() == "mine"


def test_unknown_suite_is_refused():
    done = run("test.sh", "no-such-suite")
    assert done.returncode == 2
    assert "no-such-suite" in done.stderr
