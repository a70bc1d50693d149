# SPDX-License-Identifier: Apache-2.0
"""Executors in JVMs of their own: one that is lost in the middle of a fit changes no bit of it, and no task waits
for one of them."""

import json
from pathlib import Path

import pytest

from support import spark
from support.built import PYTHON_SOURCES, jar_path

PROGRAM = Path(__file__).with_name("pca_cluster_program.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    done = spark.launch(
        "spark-submit",
        "--jars",
        jar_path(),
        PROGRAM,
        tmp_path_factory.mktemp("cluster"),
        master="local-cluster[2,1,1024]",
        conf={"spark.executor.memory": "768m"},
        PYTHONPATH=str(PYTHON_SOURCES),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert done.returncode == 0 and lines, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(lines[0].split(" ", 1)[1])


@pytest.mark.parametrize("states", ["collected", "merged on executors"])
def test_a_lost_executor_changes_nothing(found, states):
    assert found[states] == {"same": True, "killed": True}


def test_tasks_may_run_on_any_executor_of_a_host(found):
    """Spark's own choice would be the executor of each task's first partition, for which the other task may wait."""
    assert found["localities"] == ["NODE_LOCAL", "NODE_LOCAL"]
