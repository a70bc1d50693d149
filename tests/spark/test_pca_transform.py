# SPDX-License-Identifier: Apache-2.0
"""The model: what it adds to rows, what it leaves as it is, and vectors that are not its own."""

import numpy as np
import pytest
from pyspark.sql.types import ArrayType, DoubleType

from pomona.spark import PCA, ImageFeaturizer, diagnostics
from support.built import TINY
from support.pca import relu_rows
from support.pca_frames import components, frame, projected

ROWS = relu_rows(700, 30).astype(np.float64)


@pytest.fixture(scope="module")
def data(spark):
    return frame(spark, ROWS, "array<double>", parts=5).cache()


def test_by_default_nothing_is_centred_as_in_spark_ml(data):
    model = PCA(k=4).fit(data)
    assert np.allclose(projected(model.transform(data)), ROWS @ components(model).T, rtol=1e-12, atol=1e-9)


def test_center_subtracts_the_mean(data):
    model = PCA(k=4, center=True).fit(data)
    expected = (ROWS - ROWS.mean(axis=0)) @ components(model).T
    assert np.allclose(projected(model.transform(data)), expected, rtol=1e-12, atol=1e-9)
    assert np.allclose(projected(model.setCenter(False).transform(data)), ROWS @ components(model).T)


@pytest.mark.parametrize("center", [False, True])
def test_a_standardising_model_centres_and_scales(data, center):
    model = PCA(k=4, standardize=True, center=center).fit(data)
    scaled = (ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0, ddof=1)
    assert np.allclose(projected(model.transform(data)), scaled @ components(model).T, rtol=1e-12, atol=1e-9)


def test_types_metadata_and_the_other_columns(data):
    vector, array = (PCA(k=4, outputType=kind).fit(data).transform(data) for kind in ("vector", "array"))
    assert vector.schema["pca"].metadata["ml_attr"]["num_attrs"] == 4
    assert array.schema["pca"].dataType == ArrayType(DoubleType(), False)
    assert vector.columns == ["id", "features", "pca"]
    assert vector.select("id", "features").exceptAll(data).count() == 0
    assert np.array_equal(projected(vector), projected(array))


def test_a_row_has_the_same_components_in_any_company(spark, data):
    model = PCA(k=7, standardize=True).fit(data)
    together = projected(model.transform(data))
    for rows in (1, 3, 100):
        some = frame(spark, ROWS[:rows], "array<double>", parts=1)
        assert np.array_equal(projected(model.transform(some)), together[:rows])


def test_null_and_empty_inputs(spark, data):
    model = PCA(k=4, badRows="skip").fit(data)
    nulls = spark.createDataFrame([(0, None)] * 3, "id int, features array<double>")
    assert [row.pca for row in model.transform(nulls).collect()] == [None] * 3
    assert model.transform(nulls.limit(0)).collect() == []


def test_native_memory_goes_back(spark, data):
    before = diagnostics(spark, tasks=2)[0]
    model = PCA(k=4, standardize=True).fit(data)
    model.transform(data).limit(1).collect()  # a task that does not read its input to the end
    model.transform(data).count()
    after = diagnostics(spark, tasks=2)[0]
    assert {name: after[name] for name in ("handles", "nativeBytes", "leaks")} == {
        name: before[name] for name in ("handles", "nativeBytes", "leaks")
    }


def test_vectors_of_another_length_or_model_are_refused(spark, read, images, data):
    model = PCA(k=2).fit(data)
    averages, maxima = (
        ImageFeaturizer(modelPath=str(TINY), pooling=pooling, mode="DROPMALFORMED").transform(read(*images))
        for pooling in ("avg", "max")
    )
    with pytest.raises(Exception, match="the components are of 30"):
        model.transform(averages)
    fitted = PCA(k=2).fit(averages)
    assert fitted.transform(averages).count() == len(images)
    with pytest.raises(Exception, match="holds vectors of .*pooling max.*: the components are those of .*pooling avg"):
        fitted.transform(maxima)
    unknown = spark.createDataFrame(maxima.select("features").rdd, "features array<float>")  # nothing tells the model
    assert fitted.transform(unknown).count() == len(images)
