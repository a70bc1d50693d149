# SPDX-License-Identifier: Apache-2.0
"""Spark programs run as a user runs them: pip's spark-submit and spark-shell in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, Mapping

import numpy as np
import pyarrow.parquet
import pyspark

from support.built import PYTHON_SOURCES, TOP

HOME = Path(pyspark.__file__).parent
# Of programs so short that they end before what Java's second compiler makes of them is used.
SHORT = "-XX:TieredStopAtLevel=1"
# Spark's classes, read and checked, for Java 13 and later to map; test.sh has support/class_archive.py make the file.
# Where it does not fit (another Java, jars before Spark's own) Java goes without it, and need not say so.
CLASSES = Path(sys.prefix) / "spark-classes.jsa"
_MAPPED = f" -XX:SharedArchiveFile={CLASSES} -Xlog:cds=off -Xlog:cds+dynamic=off" if CLASSES.exists() else ""
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": SHORT + _MAPPED,
}


def environment(**changes: str) -> Dict[str, str]:
    """Nothing of another Spark on this machine, nor a library path of the caller, reaches the test."""
    dropped = ("SPARK_", "PYSPARK_", "LD_LIBRARY_PATH", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "SPARK_HOME": str(HOME), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", **changes}


def launch(
    program: str,
    *arguments: str,
    master: str = "local[2]",
    conf: Mapping[str, object] = {},
    cwd: Path = None,
    **changes: str,
):
    """Runs bin/PROGRAM and returns the finished process; standard input is empty."""
    settings = {**SETTINGS, **conf}
    words = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    command = [str(HOME / "bin" / program), "--master", master, *words, *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def submit(jar: Path, job: str, *options: object, conf: Mapping[str, object] = {}):
    """Runs a job of spark-jobs/jobs with the jar for Spark."""
    program = TOP / f"spark-jobs/jobs/{job}.py"
    return launch("spark-submit", "--jars", jar, program, *options, conf=conf, PYTHONPATH=str(PYTHON_SOURCES))


def read_features(folder: Path) -> Dict[str, np.ndarray]:
    """Vectors by file name of a parquet folder with path and features; None for null."""
    table = pyarrow.parquet.read_table(str(folder), columns=["path", "features"])
    rows = zip(table["path"].to_pylist(), table["features"].to_pylist())
    return {Path(path).name: None if vector is None else np.array(vector, np.float32) for path, vector in rows}


def same_bits(actual: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> bool:
    """Equal keys, nulls and bytes."""

    def raw(vectors: Mapping[str, np.ndarray]) -> Dict[str, object]:
        return {name: vector if vector is None else vector.tobytes() for name, vector in vectors.items()}

    return raw(actual) == raw(expected)
