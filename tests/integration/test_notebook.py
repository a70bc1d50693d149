# SPDX-License-Identifier: Apache-2.0
"""The Databricks notebook, cell by cell on a local Spark, with widgets and without Databricks at all."""

import json

import pytest

from support import spark
from support.built import TINY, TOP

NOTEBOOK = TOP / "spark-jobs/notebooks/features_databricks.py"
RUNNER = TOP / "tests/support/databricks.py"


@pytest.mark.parametrize("door", ["widgets", "environment"])
def test_runs_headless(door, jar, pictures, tmp_path):
    values = {"images": str(pictures.folder), "model": str(TINY), "components": "3"}
    widgets = [f"{name}={value}" for name, value in values.items()] if door == "widgets" else []
    variables = {} if widgets else {f"POMONA_{name.upper()}": value for name, value in values.items()}
    out = tmp_path / "features"
    done = spark.launch("spark-submit", "--jars", jar, RUNNER, NOTEBOOK, "features", out, *widgets, **variables)
    assert done.returncode == 0, done.stderr
    counts, reduced = json.loads(done.stdout.splitlines()[-1])
    assert {(row["label"], row["bad"], row["count"]) for row in counts} == {
        ("dark", False, 5),
        ("dark", True, 1),
        ("light", False, 5),
    }
    assert len(reduced) == 10
    assert "3 components keep" in done.stdout
    assert spark.same_bits(spark.read_features(out), pictures.expected)
