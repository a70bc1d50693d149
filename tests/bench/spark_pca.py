# SPDX-License-Identifier: Apache-2.0
"""Standardised PCA fitted through Spark: ours against Spark ML's StandardScaler and PCA, on the same cached DataFrame.

    python tests/bench/spark_pca.py                                   22,688 x 1,280, k = 200, on local[2]
    python tests/bench/spark_pca.py --large                           90,483 x 2,048 on an executor of two cores

--large sets a driver of 1 GiB; options beside it count. It takes ten minutes, Spark ML most of them. With --master
'local-cluster[2,1,6144]' each core has an executor of its own, which reads half of its cached rows from the other. The
peaks of memory at the end are of whole processes: the driver's is its heap, what a JVM needs beside it, and the native
memory.

With --peer-rows Spark ML fits slices of that many rows, and the line through both times tells its time for all rows:
its fixed part, the decomposition on the driver, counts once. Features are synthetic: a spectrum that falls, zeros of
ReLU.

Spark's releases hold no native BLAS or LAPACK, and Spark ML calls those of the machine where it finds them. Ours needs
OpenBLAS, so wherever this runs it would find some: with --blas java, the default, it computes in Java, as on a machine
without them; --blas machine leaves it the choice."""

import os
import platform
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spark-jobs/python"))

import pandas as pd
import pyspark
import turns
from pyspark.ml.feature import PCA as StockPCA
from pyspark.ml.feature import StandardScaler
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession

from support.built import jar_path

RANK = 64
LARGE = {
    "rows": 90483,
    "columns": 2048,
    "parts": 64,
    "master": "local-cluster[1,2,6144]",
    "driver_memory": "1g",
    "executor_memory": "6g",
    "rounds": 3,
}


def without_native(folder: Path) -> None:
    """Puts into a folder what, first on a class path, hides the native libraries of Spark ML: empty ones."""
    place = folder / f"resources/native/Linux-{platform.machine().replace('x86_64', 'amd64')}"
    place.mkdir(parents=True)
    for name in ("blas", "lapack"):
        (place / f"libnetlib{name}jni.so").touch()


def linear_algebra(spark: SparkSession) -> str:
    """The classes that Spark ML computes by."""
    netlib = spark._jvm.dev.ludovic.netlib
    found = (netlib.blas.BLAS.getInstance(), netlib.lapack.LAPACK.getInstance())
    return ", ".join(one.getClass().getSimpleName() for one in found)


def start(options, first_on_path: Optional[Path]) -> SparkSession:
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))  # local-cluster starts its workers there
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = (
        SparkSession.builder.master(options.master)
        .config("spark.jars", str(jar_path()))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", options.driver_memory)
        .config("spark.executor.memory", options.executor_memory)
        .config("spark.scheduler.minRegisteredResourcesRatio", "1.0")
    )
    if first_on_path:
        builder.config("spark.driver.extraClassPath", str(first_on_path))
        builder.config("spark.executor.extraClassPath", str(first_on_path))
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def features(spark: SparkSession, rows: int, columns: int, parts: int) -> DataFrame:
    """id, array (of float) and vector, cached."""
    basis = np.random.default_rng(1).standard_normal((RANK, columns)).astype(np.float32)
    scales = np.linspace(3, 0.1, RANK, dtype=np.float32)

    def make(batches):
        for batch in batches:
            ids = batch["id"].values
            random = np.random.default_rng(int(ids[0]))
            hidden = random.standard_normal((len(ids), RANK), np.float32) * scales
            noise = random.standard_normal((len(ids), columns), np.float32)
            yield pd.DataFrame({"id": ids, "array": list(np.maximum(hidden @ basis + np.float32(0.3) * noise, 0))})

    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "500")
    made = spark.range(0, rows, 1, parts).mapInPandas(make, "id long, array array<float>")
    found = made.cache()
    assert found.count() == rows
    return found


def seconds(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def fit_ours(data: DataFrame, column: str, k: int):
    from pomona.spark import PCA

    return PCA(inputCol=column, k=k, standardize=True).fit(data)


def fit_stock(data: DataFrame, k: int):
    scaler = StandardScaler(inputCol="vector", outputCol="scaled", withMean=True, withStd=True).fit(data)
    return StockPCA(k=k, inputCol="scaled", outputCol="pca").fit(scaler.transform(data))


def agreement(ours, stock) -> str:
    shares = np.abs(ours.explainedVariance.toArray() - stock.explainedVariance.toArray()).max()
    one, two = ours.pc.toArray(), stock.pc.toArray()
    return (
        f"shares of the variance differ by {shares / ours.explainedVariance[0]:.1e} of the largest at most, components"
        f" up to sign by {np.abs(one * np.sign((one * two).sum(axis=0)) - two).max():.1e}"
    )


def peak_memory(spark: SparkSession) -> Dict[str, str]:
    """Most memory that each JVM of this application had in RAM, its heap included."""
    driver = spark._jvm.java.lang.ProcessHandle.current().pid()
    found = {"driver": [driver], "executors": []}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if b"CoarseGrainedExecutorBackend" in words and spark.sparkContext.applicationId.encode() in words:
            found["executors"].append(int(folder.name))
    peaks = {who: [_peak(pid) for pid in pids] for who, pids in found.items() if pids}
    return {f"peak of {who}": ", ".join(f"{mib} MiB" for mib in values) for who, values in peaks.items()}


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def extrapolated(sizes: List[int], times: List[float], rows: int) -> float:
    """The line through the times of two slices, at all rows."""
    slope = (times[1] - times[0]) / (sizes[1] - sizes[0])
    return times[0] + slope * (rows - sizes[0])


def peer_side(data: DataFrame, options) -> Callable[[], float]:
    """Spark ML's seconds for all rows: measured, or told by two slices."""
    if not options.peer_rows:
        vectors = with_vectors(data)
        return lambda: seconds(partial(fit_stock, vectors, options.k))
    slices = [with_vectors(data.limit(rows).repartition(options.parts)) for rows in options.peer_rows]

    def side() -> float:
        times = [seconds(partial(fit_stock, part, options.k)) for part in slices]
        print("Spark ML: " + ", ".join(f"{n} rows {t:.1f} s" for n, t in zip(options.peer_rows, times)), flush=True)
        return extrapolated(options.peer_rows, times, options.rows)

    return side


def with_vectors(data: DataFrame) -> DataFrame:
    found = data.withColumn("vector", array_to_vector("array")).drop("array").cache()
    found.count()
    return found


def measure(spark: SparkSession, options) -> turns.Report:
    data = features(spark, options.rows, options.columns, options.parts)
    sides = {"Pomona, array<float>": lambda: seconds(partial(fit_ours, data, "array", options.k))}
    if not options.peer_rows:
        vectors = with_vectors(data)
        sides["Pomona"] = lambda: seconds(partial(fit_ours, vectors, "vector", options.k))
    ours = "Pomona" if "Pomona" in sides else "Pomona, array<float>"
    sides["Spark ML"] = peer_side(data, options)
    name = f"{options.rows} x {options.columns}, k = {options.k}, {options.master}"
    report = turns.Report("Standardise and fit PCA", ours, "s", True)
    report.rows.append(turns.take_turns(name, sides, options.rounds))
    if not options.peer_rows:
        report.about["agreement"] = agreement(fit_ours(vectors, "vector", options.k), fit_stock(vectors, options.k))
    report.about.update({"Spark": spark.version, "Spark ML by": linear_algebra(spark)}, **peak_memory(spark))
    return report


def parse():
    parser = turns.arguments(__doc__.splitlines()[0], rounds=3)
    parser.add_argument("--rows", type=int, default=22688)
    parser.add_argument("--columns", type=int, default=1280)
    parser.add_argument("--k", type=int, default=200)
    parser.add_argument("--parts", type=int, default=8, help="partitions of the DataFrame; default 8")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--driver-memory", default="8g")
    parser.add_argument("--executor-memory", default="3g", help="of local-cluster")
    parser.add_argument("--peer-rows", metavar="N,N", type=lambda text: [int(n) for n in text.split(",")], default=[])
    parser.add_argument("--blas", choices=("java", "machine"), default="java", help="what Spark ML computes by")
    parser.add_argument("--large", action="store_true", help="90,483 x 2,048 on a local-cluster, a driver of 1 GiB")
    if parser.parse_known_args()[0].large:
        parser.set_defaults(**LARGE)
    return parser.parse_args()


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        hidden = Path(folder) if options.blas == "java" else None
        if hidden:
            without_native(hidden)
        spark = start(options, hidden)
        turns.publish(measure(spark, options), options)
        spark.stop()


if __name__ == "__main__":
    main()
