# SPDX-License-Identifier: Apache-2.0
"""Spark stages and SQL functions. They run in the JVM: executors need the jar `pomona-spark`, and no Python package."""

try:
    import pyspark  # noqa: F401
except ImportError as error:
    raise ImportError("pomona.spark needs PySpark: pip install 'pomona[spark]', or run under spark-submit") from error

from pomona.spark.featurizer import ImageFeaturizer
from pomona.spark.functions import diagnostics, image_features, image_top, register
from pomona.spark.pca import PCA, PCAModel

__all__ = ["PCA", "ImageFeaturizer", "PCAModel", "diagnostics", "image_features", "image_top", "register"]
