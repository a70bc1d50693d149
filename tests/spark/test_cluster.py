# SPDX-License-Identifier: Apache-2.0
"""Executors in JVMs of their own: the model is packed once in each, and memory returns to what the model holds."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from support.built import PYTHON_SOURCES, TINY, jar_path
from support.material import built_model
from support.spark import SETTINGS, environment

PROGRAM = Path(__file__).with_name("cluster_program.py")
MIB = 1 << 20


def run(master: str, model: Path, folder: Path, jobs: int, *conf: str) -> dict:
    settings = [f"{name}={value}" for name, value in SETTINGS.items()]
    command = [sys.executable, PROGRAM, master, jar_path(), model, folder, jobs, *settings, *conf]
    done = subprocess.run(
        [str(word) for word in command],
        env=environment(PYTHONPATH=str(PYTHON_SOURCES)),
        capture_output=True,
        text=True,
        timeout=400,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert done.returncode == 0 and lines, done.stdout[-3000:] + done.stderr[-5000:]
    return json.loads(lines[0].split(" ", 1)[1])


@pytest.fixture(scope="module")
def one_executor(images):
    return run("local-cluster[1,4,2048]", built_model("MobileNetV2"), images[0].parent, 20)


def test_four_tasks_at_once_pack_the_model_once(one_executor, images):
    first = one_executor["warm_up"][0]
    assert first["same"] == len(images)
    (executor,) = first["executors"].values()
    assert executor["modelLoads"] == "1" and executor["models"] == "1"


def test_after_twenty_jobs_the_model_is_still_the_first(one_executor, images):
    last = one_executor["jobs"][-1]
    assert len(one_executor["jobs"]) == 20 and last["same"] == len(images)
    (executor,) = last["executors"].values()
    assert executor["modelLoads"] == "1" and executor["leaks"] == "0"


def test_native_memory_returns_to_the_model_alone(one_executor):
    """The driver opened the same model to check it, and never a session."""
    alone = one_executor["driver"]["nativeBytes"]
    assert one_executor["driver"]["handles"] == "1" and int(alone) > MIB
    for job in one_executor["jobs"]:
        (executor,) = job["executors"].values()
        assert executor["nativeBytes"] == alone and executor["handles"] == "1"


def test_resident_memory_stays(one_executor):
    """Medians: a sample may fall between a free and malloc's return of the pages."""
    resident = [int(next(iter(job["executors"].values()))["residentBytes"]) for job in one_executor["jobs"]]
    growth = statistics.median(resident[-5:]) - statistics.median(resident[:5])
    assert growth < 5 * MIB, [round(value / MIB, 1) for value in resident]


@pytest.mark.parametrize("conf", [[], ["spark.pomona.broadcastLimit=1k"]], ids=["broadcast", "file"])
def test_two_executors_load_once_each(images, conf):
    found = run("local-cluster[2,1,1024]", TINY, images[0].parent, 3, *conf)
    executors = found["jobs"][-1]["executors"]
    assert len(executors) == 2
    assert [facts["modelLoads"] for facts in executors.values()] == ["1", "1"]
    assert found["driver"]["modelLoads"] == "1"
