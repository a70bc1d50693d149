# SPDX-License-Identifier: Apache-2.0
"""Executors in JVMs of their own: one that is lost in the middle of a fit changes no bit of it."""

import json
from pathlib import Path

from support import spark
from support.built import TOP, jar_path

PROGRAM = Path(__file__).with_name("pca_cluster_program.py")


def test_a_lost_executor_changes_nothing(tmp_path):
    done = spark.launch(
        "spark-submit",
        "--jars",
        jar_path(),
        PROGRAM,
        tmp_path,
        master="local-cluster[2,1,1024]",
        conf={"spark.executor.memory": "768m"},
        PYTHONPATH=str(TOP / "spark-jobs/python"),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert done.returncode == 0 and lines, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(lines[0].split(" ", 1)[1])
    assert found == {name: {"same": True, "killed": True} for name in ("collected", "merged on executors")}
