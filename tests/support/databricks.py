# SPDX-License-Identifier: Apache-2.0
"""Runs a notebook in Databricks' source format on any Spark session, with stand-ins for what Databricks provides."""

import json
import sys
from pathlib import Path
from typing import Any, Dict, List

from pyspark.sql import SparkSession

FIRST_LINE = "# Databricks notebook source"
SEPARATOR = "# COMMAND ----------"


class Widgets:
    """dbutils.widgets with values that are set already: asking for one that the notebook did not define is an error."""

    def __init__(self, values: Dict[str, str]):
        self._values = values
        self._defined: Dict[str, str] = {}

    def text(self, name: str, default: str, label: str = "") -> None:
        self._defined[name] = self._values.get(name, default)

    def get(self, name: str) -> str:
        return self._defined[name]


class Utilities:
    def __init__(self, values: Dict[str, str]):
        self.widgets = Widgets(values)


def cells(path: Path) -> List[str]:
    """The code cells; those of magic commands (%md) are left out."""
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    assert first == FIRST_LINE, f"{path} does not begin with '{FIRST_LINE}'"
    found = [cell.strip() for cell in rest.split(SEPARATOR)]
    return [cell for cell in found if cell and not cell.startswith("# MAGIC")]


def run(path: Path, spark: Any, widgets: Dict[str, str] = None) -> Dict[str, Any]:
    """The notebook's variables; `shown` holds the rows of every display(). Without widgets there is no dbutils."""
    shown: List[list] = []
    names: Dict[str, Any] = {"spark": spark, "display": lambda frame: shown.append(frame.collect()), "shown": shown}
    if widgets is not None:
        names["dbutils"] = Utilities(widgets)
    for number, cell in enumerate(cells(path), 1):
        exec(compile(cell, f"{path.name}, cell {number}", "exec"), names)
    return names


def main() -> None:
    """spark-submit databricks.py NOTEBOOK TABLE DIR [NAME=WIDGET ...]: saves the notebook's data frame TABLE as parquet
    in DIR. Last line: a JSON list with the rows of every display()."""
    notebook, table, out, *words = sys.argv[1:]
    spark = SparkSession.builder.getOrCreate()
    names = run(Path(notebook), spark, dict(word.split("=", 1) for word in words) or None)
    names[table].write.parquet(out)
    print(json.dumps([[row.asDict() for row in rows] for rows in names["shown"]], default=str))


if __name__ == "__main__":
    main()
