# SPDX-License-Identifier: Apache-2.0
"""The last line of test.sh."""

import subprocess
import sys

import pytest

from support.material import TOP

MIXED = """<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase>
<testcase name="c"><error/></testcase>
<testcase name="d"><skipped/></testcase><testcase name="e" status="run"/>
<testcase name="f" status="notrun"/></testsuite>"""
GOOD = '<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>'


def summarize(results):
    command = [sys.executable, str(TOP / "scripts/summarize.py"), str(results)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "suites, status, line",
    [
        ({"a": (1, MIXED)}, 1, "2 passed, 2 failed, 2 skipped"),
        ({"a": (0, GOOD), "b": (0, None)}, 0, "2 passed, 0 failed, 0 skipped"),
        ({"a": (0, GOOD), "b": (2, None)}, 1, "1 passed, 1 failed, 0 skipped"),
        ({"crashed": (139, GOOD)}, 1, "1 passed, 1 failed, 0 skipped"),
        ({}, 1, "0 passed, 0 failed, 0 skipped"),
    ],
)
def test_summary(tmp_path, suites, status, line):
    for name, (code, junit) in suites.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text(f"{code}\n")
        if junit:
            (tmp_path / name / "junit.xml").write_text(junit)
    assert summarize(tmp_path) == (status, line)
