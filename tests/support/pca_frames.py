# SPDX-License-Identifier: Apache-2.0
"""Rows as DataFrames in the shapes that PCA takes, and what comes out as numpy's arrays."""

from typing import List

import numpy as np
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession


def frame(spark: SparkSession, rows: np.ndarray, kind: str = "array<float>", parts: int = 4) -> DataFrame:
    """Columns id and features, which are of a type of SQL or of Spark ML's vectors."""
    numbered = [(number, row.tolist()) for number, row in enumerate(np.asarray(rows))]
    schema = f"id int, features {'array<double>' if kind == 'vector' else kind}"
    found = spark.createDataFrame(spark.sparkContext.parallelize(numbered, parts), schema)
    return (found.withColumn("features", array_to_vector("features")) if kind == "vector" else found).cache()


def components(model) -> np.ndarray:
    """As rows: k x columns."""
    return model.pc.toArray().T


def projected(frame: DataFrame, column: str = "pca") -> np.ndarray:
    """A column of vectors or arrays in the order of id."""
    return np.array([np.asarray(row[column]) for row in frame.orderBy("id").select(column).collect()])


def bits(model) -> List[bytes]:
    """All that a fit found, for comparison bit by bit."""
    return [np.asarray(part.toArray()).tobytes() for part in (model.pc, model.spectrum, model.mean, model.std)]
