# SPDX-License-Identifier: Apache-2.0
"""Feature vectors to principal components: standardise, then as many components as the variance target asks for."""

from dataclasses import dataclass

import numpy as np
from pyspark import SparkContext
from pyspark.ml import PipelineModel
from pyspark.ml.feature import PCA, PCAModel, StandardScaler
from pyspark.sql import Column
from pyspark.sql import functions as F

from pomona.pipeline.command import JobError
from pomona.pipeline.features import make_featurizer


@dataclass(frozen=True)
class Reduction:
    """A fitted reduction: its stages, and the explained variance of every component, kept or not."""

    stages: list
    rows: int
    columns: int
    k: int
    explained: list

    @property
    def variance(self):
        """Share of the variance that the k components keep."""
        return sum(self.explained[: self.k])


def _ml_function(name, column, *arguments):
    """A function of the JVM's org.apache.spark.ml.functions; PySpark's module of that name imports pandas."""
    functions = SparkContext._active_spark_context._jvm.org.apache.spark.ml.functions
    return Column(getattr(functions, name)(F.col(column)._jc, *arguments)).alias(column)


def _good_vectors(features):
    """path, label, features (vector) of the rows that have features."""
    good = features.where(F.col("features").isNotNull())
    return good.select("path", "label", _ml_function("array_to_vector", "features"))


def components_for(explained, target):
    """The smallest number of components whose explained variance adds up to the target."""
    reached = np.cumsum(explained) >= target - 1e-12
    return int(np.argmax(reached)) + 1 if reached.any() else len(explained)


def fit_pca(vectors, rows, columns, target):
    """PCA of the column `scaled` to the variance target by one fit of the whole spectrum: (model, explained)."""
    whole = PCA(k=min(rows - 1, columns), inputCol="scaled", outputCol="pca").fit(vectors)
    explained = whole.explainedVariance.toArray()
    if not np.isfinite(explained).all():
        raise JobError(f"all {rows} images gave the same features: there is no variance to keep")
    return _keep(whole, components_for(explained, target)), explained.tolist()


def _keep(model, k):
    """The PCAModel with its first k components. The matrix stays in the JVM: it is column-major, so they come first."""
    java, jvm = model._java_obj, SparkContext._active_spark_context._jvm
    rows = java.pc().numRows()
    copy = jvm.java.util.Arrays.copyOf
    matrix = jvm.org.apache.spark.ml.linalg.DenseMatrix(rows, k, copy(java.pc().values(), rows * k))
    explained = jvm.org.apache.spark.ml.linalg.DenseVector(copy(java.explainedVariance().values(), k))
    cut = jvm.org.apache.spark.ml.feature.PCAModel(java.uid(), matrix, explained)
    for name, value in (("k", k), ("inputCol", model.getInputCol()), ("outputCol", model.getOutputCol())):
        cut.set(cut.getParam(name), value)
    kept = PCAModel(cut)
    kept._transfer_params_from_java()
    return kept


def fit_reduction(features, target):
    """Fits scaler and PCA on the rows that have features."""
    good = _good_vectors(features).cache()
    rows = good.count()
    if rows < 2:
        raise JobError(f"{rows} image(s) gave features: at least 2 are needed to find principal components")
    columns = len(good.first()["features"])
    scaler = StandardScaler(inputCol="features", outputCol="scaled", withMean=True, withStd=True).fit(good)
    pca, explained = fit_pca(scaler.transform(good), rows, columns, target)
    good.unpersist()
    return Reduction([scaler, pca], rows, columns, pca.getK(), explained)


def write_components(features, reduction, uri):
    """Writes path, label, pca (array<double>) of the rows that have features."""
    components = PipelineModel(reduction.stages).transform(_good_vectors(features))
    components.select("path", "label", _ml_function("vector_to_array", "pca", "float64")).write.parquet(uri)


def write_model(settings, reduction, uri):
    """Saves featurizer, scaler and PCA as one PipelineModel for new images.

    The scaler takes no null, so a featurizer that would keep bad images as null rows drops them here.
    """
    mode = "DROPMALFORMED" if settings.get("mode") in (None, "PERMISSIVE") else settings["mode"]
    featurizer = make_featurizer(settings, outputType="vector", mode=mode)
    PipelineModel([featurizer, *reduction.stages]).write().save(uri)
