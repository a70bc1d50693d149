# SPDX-License-Identifier: Apache-2.0
"""summarize.py RESULTS: counts of every suite in a folder, and their sum as the last line.

RESULTS/<suite>/status holds the exit status of the suite's command; the JUnit files beside it say what ran. A suite
without such files is one test. A suite that failed while none of its tests did (a build, a crash) counts one failure.
Exit status: 1 when anything failed.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count_junit(path):
    """(passed, failed, skipped) of one JUnit file, by its test cases."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_suite(folder):
    """(passed, failed, skipped) of one suite."""
    status = int((folder / "status").read_text())
    files = sorted(folder.rglob("*.xml"))
    counts = [count_junit(path) for path in files]
    passed, failed, skipped = (sum(column) for column in zip(*counts)) if counts else (int(status == 0), 0, 0)
    if status and not failed:
        failed = 1
    return passed, failed, skipped


def main(results):
    suites = sorted((f.parent for f in Path(results).glob("*/status")), key=lambda f: (f / "status").stat().st_mtime_ns)
    total = [0, 0, 0]
    for folder in suites:
        counts = count_suite(folder)
        total = [a + b for a, b in zip(total, counts)]
        print(f"{folder.name:<20}{counts[0]:>7} passed {counts[1]:>5} failed {counts[2]:>5} skipped")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not suites else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
