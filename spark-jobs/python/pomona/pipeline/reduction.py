# SPDX-License-Identifier: Apache-2.0
"""Feature vectors to principal components: standardised, then as many as the variance target asks for."""

from dataclasses import dataclass
from typing import List

from pyspark.ml import PipelineModel
from pyspark.sql import functions as F

from pomona.pipeline.command import JobError
from pomona.pipeline.features import make_featurizer
from pomona.spark import PCA, PCAModel


@dataclass(frozen=True)
class Reduction:
    """A fitted reduction, and the explained variance of every component, kept or not."""

    model: PCAModel
    rows: int
    columns: int
    k: int
    explained: List[float]

    @property
    def variance(self):
        """Share of the variance that the k components keep."""
        return sum(self.explained[: self.k])


def _good_vectors(features):
    return features.where(F.col("features").isNotNull()).select("path", "label", "features")


def fit_reduction(features, rows, target):
    """Fits the rows that have features; there are `rows` of them."""
    if rows < 2:
        raise JobError(f"{rows} image(s) gave features: at least 2 are needed to find principal components")
    model = PCA(varianceTarget=target, standardize=True, outputType="array").fit(_good_vectors(features))
    explained = model.spectrum.toArray().tolist()
    return Reduction(model, model.rowCount, len(explained), model.getK(), explained)


def write_components(features, reduction, uri):
    """Writes path, label, pca (array<double>) of the rows that have features."""
    reduction.model.transform(_good_vectors(features)).select("path", "label", "pca").write.parquet(uri)


def write_model(settings, reduction, uri):
    """Saves featurizer and PCA as one PipelineModel for new images.

    What reads the vectors next may take no null, so a featurizer that would keep bad images as null rows drops them.
    """
    mode = "DROPMALFORMED" if settings.get("mode") in (None, "PERMISSIVE") else settings["mode"]
    featurizer = make_featurizer(settings, outputType="vector", mode=mode)
    components = reduction.model.copy({reduction.model.outputType: "vector"})
    PipelineModel([featurizer, components]).write().save(uri)
