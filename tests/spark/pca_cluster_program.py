# SPDX-License-Identifier: Apache-2.0
"""Run by spark-submit on a local-cluster of two executors: fits undisturbed, and while an executor is killed in the
middle of its rows; with states that the driver collects, and with states that merge on the executors. Prints as JSON
whether the bits are the same, and how near to cached rows the tasks of a fit ran.

pca_cluster_program.py FOLDER"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Iterator, Tuple

import numpy as np
from pyspark.sql import SparkSession

PARTS, ROWS, COLUMNS = 8, 150, 40
VICTIM, VICTIM_ROW = 5, 100  # by then its executor has finished other tasks


def kill_executor() -> None:
    """A Python worker's parent is the daemon, whose parent is the executor."""
    daemon = Path(f"/proc/{os.getppid()}/stat").read_text()
    os.kill(int(daemon.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)


def rows_of(part: int, marker: str) -> Iterator[Tuple[int, list]]:
    random = np.random.default_rng(part)
    for number in range(ROWS):
        if (part, number) == (VICTIM, VICTIM_ROW) and not os.path.exists(marker):
            Path(marker).touch()
            kill_executor()
        yield part * ROWS + number, random.standard_normal(COLUMNS).tolist()


def fit(spark: SparkSession, marker: Path) -> list:
    from pomona.spark import PCA

    rows = spark.sparkContext.parallelize(range(PARTS), PARTS).flatMap(lambda part: rows_of(part, str(marker)))
    frame = spark.createDataFrame(rows, "id int, features array<double>").drop("id")
    model = PCA(k=5, standardize=True, maxTasks=PARTS).fit(frame)
    return [model.pc.toArray().tobytes(), model.spectrum.toArray().tobytes(), model.mean.toArray().tobytes()]


def localities(spark: SparkSession) -> list:
    """Of the tasks of a fit over cached rows, each of several partitions."""
    from pomona.spark import PCA

    context, group = spark.sparkContext, "localities"
    context.setJobGroup(group, group)
    rows = spark.range(0, 80, 1, PARTS).selectExpr("array(double(id), double(id * id)) AS features").cache()
    rows.count()
    PCA(k=1, maxTasks=2).fit(rows)
    tracker, store = context.statusTracker(), context._jsc.sc().statusStore()
    last = max(tracker.getJobInfo(job).stageIds[-1] for job in tracker.getJobIdsForGroup(group))
    tasks = store.taskList(last, 0, PARTS)
    return [tasks.apply(i).taskLocality() for i in range(tasks.size())]


def main(folder: str) -> None:
    spark = SparkSession.builder.getOrCreate()
    near = localities(spark)
    calm = Path(folder, "calm")
    calm.touch()
    found = {"localities": near}
    for name, limit in (("collected", "1g"), ("merged on executors", "40k")):
        spark.sparkContext._jsc.sc().conf().set("spark.driver.maxResultSize", limit)
        marker = Path(folder, name)
        found[name] = {"same": fit(spark, calm) == fit(spark, marker), "killed": marker.exists()}
    print("RESULT " + json.dumps(found), flush=True)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
