# SPDX-License-Identifier: Apache-2.0
"""Run in a process of its own: featurizes the same images in many jobs on a local-cluster, and prints as JSON what the
executors hold after each job, and what the driver holds.

cluster_program.py MASTER JAR MODEL FOLDER JOBS [CONF=VALUE ...]

Three warm-up jobs come first, of many small tasks: by then the JVM has compiled what Spark runs for each task."""

import json
import sys
from typing import Dict, List

from pyspark.sql import SparkSession

TASKS = 16
WARM_UP_JOBS, WARM_UP_TASKS = 3, 128
# The heap is touched at once, one compiler works in one arena of malloc, malloc gives freed blocks back at once, and
# Spark's cleaner is off: so the JVM's own memory keeps still, and what grows is ours. (Whenever the driver collects
# garbage, the cleaner has executors drop old blocks, on up to 100 threads with 0.1 MiB of stack each that end after an
# idle minute.)
QUIET_JVM = "-Xms768m -XX:+AlwaysPreTouch -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
QUIET_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}


def start(master: str, jar: str, conf: List[str]) -> SparkSession:
    builder = (
        SparkSession.builder.master(master)
        .config("spark.jars", jar)
        .config("spark.sql.extensions", "pomona.spark.ImageFeaturesExtension")
        .config("spark.executor.memory", "768m")
        .config("spark.executor.extraJavaOptions", QUIET_JVM)
        .config("spark.cleaner.referenceTracking", "false")
        .config("spark.scheduler.minRegisteredResourcesRatio", "1.0")
    )
    for name, value in QUIET_MALLOC.items():
        builder = builder.config(f"spark.executorEnv.{name}", value)
    for setting in conf:
        builder = builder.config(*setting.split("=", 1))
    return builder.getOrCreate()


def held_by_executors(spark: SparkSession) -> Dict[str, Dict[str, str]]:
    rows = spark.range(0, TASKS, 1, TASKS).selectExpr("pomona_diagnostics() AS facts").collect()
    return {row.facts["executor"]: row.facts for row in rows}


def run_job(spark: SparkSession, stage, images, model: str) -> dict:
    """Both doors in one job, which share model and registry."""
    both = stage.transform(images).selectExpr("features", f"image_features(content, '{model}') AS again")
    same = both.where("features = again").count()
    return {"same": same, "executors": held_by_executors(spark)}


def main(master: str, jar: str, model: str, folder: str, jobs: str, *conf: str) -> None:
    from pomona.spark import ImageFeaturizer

    spark = start(master, jar, list(conf))
    files = spark.read.format("binaryFile").load(folder)
    stage = ImageFeaturizer(modelPath=model)
    warm_up = files.repartition(WARM_UP_TASKS).cache()
    images = files.repartition(TASKS).cache()
    images.count()
    first = [run_job(spark, stage, warm_up, model) for _ in range(WARM_UP_JOBS)]
    after = [run_job(spark, stage, images, model) for _ in range(int(jobs))]
    driver = dict(spark._jvm.pomona.spark.Diagnostics.snapshot())
    print("RESULT " + json.dumps({"warm_up": first, "jobs": after, "driver": driver}))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
