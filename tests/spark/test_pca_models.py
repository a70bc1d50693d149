# SPDX-License-Identifier: Apache-2.0
"""Models saved and loaded in Python and in the JVM, to Spark ML and back, and states that go on with further rows."""

import shutil

import numpy as np
import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import PCA as StockPCA
from pyspark.ml.feature import PCAModel as StockModel
from pyspark.ml.feature import StandardScaler

from pomona.spark import PCA, ImageFeaturizer, PCAModel
from support.built import TINY
from support.pca import assert_same_moment, relu_rows
from support.pca_frames import bits, components, frame, projected

ROWS = relu_rows(500, 24, seed=4)


@pytest.fixture(scope="module")
def data(spark):
    return frame(spark, ROWS, "vector").cache()


@pytest.fixture(scope="module")
def model(data):
    return PCA(varianceTarget=0.8, standardize=True, badRows="skip").fit(data)


def same(one, other, data):
    assert bits(one) == bits(other)
    assert np.array_equal(projected(one.transform(data)), projected(other.transform(data)))


def test_a_saved_model_is_the_same(model, data, tmp_path):
    model.save(str(tmp_path / "model"))
    moved = shutil.move(tmp_path / "model", tmp_path / "elsewhere")
    loaded = PCAModel.load(str(moved))
    same(loaded, model, data)
    assert loaded.uid == model.uid and loaded.getK() == model.getK() and loaded.getBadRows() == "skip"
    assert (loaded.rowCount, loaded.skippedCount, loaded.hasState) == (500, 0, False)
    with pytest.raises(Exception, match="already exists"):
        model.save(str(moved))
    loaded.write().overwrite().save(str(moved))


def test_the_data_is_in_spark_mls_layout(spark, model, tmp_path):
    model.save(str(tmp_path / "model"))
    row = spark.read.parquet(str(tmp_path / "model/data")).select("pc", "explainedVariance").first()
    assert row.pc == model.pc and row.explainedVariance == model.explainedVariance


def test_pipeline_from_python_to_the_jvm_and_back(spark, model, data, tmp_path):
    PipelineModel([model]).save(str(tmp_path / "python"))
    java = spark._jvm.org.apache.spark.ml.PipelineModel.load(str(tmp_path / "python"))
    assert java.stages()[0].getClass().getName() == "pomona.spark.PCAModel"
    java.write().save(str(tmp_path / "java"))
    (back,) = PipelineModel.load(str(tmp_path / "java")).stages
    assert type(back) is PCAModel
    same(back, model, data)


def test_a_pipeline_of_both_stages_fits_and_goes_on_elsewhere(spark, read, images, tmp_path):
    """The vectors' model is known after a reload too."""
    stages = [ImageFeaturizer(modelPath=str(TINY), dropInput=True), PCA(k=3, badRows="skip", standardize=True)]
    Pipeline(stages=stages).save(str(tmp_path / "unfitted"))
    fitted = Pipeline.load(str(tmp_path / "unfitted")).fit(read(*images))
    fitted.save(str(tmp_path / "fitted"))
    loaded = PipelineModel.load(str(tmp_path / "fitted"))
    found, again = ({r.path: r.pca for r in p.transform(read(*images)).collect()} for p in (fitted, loaded))
    assert found == again and len(found) == len(images)
    other = ImageFeaturizer(modelPath=str(TINY), pooling="max").transform(read(*images))
    with pytest.raises(Exception, match="fit again"):
        loaded.stages[1].transform(other)


@pytest.mark.parametrize("params", [{}, {"center": True}, {"standardize": True}], ids=str)
def test_to_spark_ml_and_back(data, tmp_path, params):
    model = PCA(k=6, **params).fit(data)
    stock = model.toSpark()
    assert type(stock) is (PipelineModel if params else StockModel)
    stock.save(str(tmp_path / "stock"))
    loaded = type(stock).load(str(tmp_path / "stock"))
    expected = projected(model.transform(data))
    assert np.abs(projected(loaded.transform(data)) - expected).max() < 1e-12 * np.abs(expected).max()
    back = PCAModel.fromSpark(loaded)
    assert np.array_equal(components(back), components(model)) and back.getK() == 6
    assert np.array_equal(projected(back.transform(data)), expected)
    back.save(str(tmp_path / "back"))
    assert np.array_equal(projected(PCAModel.load(str(tmp_path / "back")).transform(data)), expected)


def test_spark_mls_own_models_are_taken(data):
    scaler = StandardScaler(inputCol="features", outputCol="scaled", withMean=True, withStd=True)
    pca = StockPCA(k=5, inputCol="scaled", outputCol="pca")
    stock = Pipeline(stages=[scaler, pca]).fit(data)
    ours = PCAModel.fromSpark(stock)
    expected = projected(stock.transform(data))
    assert np.abs(projected(ours.transform(data)) - expected).max() < 1e-11 * np.abs(expected).max()
    assert (ours.getStandardize(), ours.rowCount, len(ours.spectrum)) == (True, 0, 5)
    assert ours.componentsFor(1.0) == 0


def test_what_spark_ml_alone_can_do_is_refused(data):
    scaler = StandardScaler(inputCol="features", outputCol="scaled", withStd=True)
    stock = Pipeline(stages=[scaler, StockPCA(k=2, inputCol="scaled", outputCol="pca")]).fit(data)
    with pytest.raises(Exception, match="no withMean"):
        PCAModel.fromSpark(stock)
    with pytest.raises(Exception, match="fromSpark takes"):
        PCAModel.fromSpark(stock.stages[0])


@pytest.mark.parametrize("standardize", [False, True])
def test_a_state_goes_on_with_further_rows(spark, data, tmp_path, standardize):
    path = str(tmp_path / "state")
    months = [frame(spark, part) for part in np.array_split(ROWS, 3)]
    estimator = PCA(k=6, standardize=standardize)
    estimator.fit(months[0]).saveState(path)
    for month in months[1:]:
        model = estimator.copy({estimator.initialState: path}).fit(month)
        model.saveState(path, overwrite=True)
    whole = estimator.fit(data)
    whole.saveState(str(tmp_path / "whole"))
    assert_same_moment(tmp_path / "state", tmp_path / "whole")
    assert model.rowCount == whole.rowCount == len(ROWS)
    assert np.abs(model.spectrum.toArray() - whole.spectrum.toArray()).max() < 1e-12
    assert np.abs(components(model) - components(whole)).max() < 1e-9
    assert sorted(file.name for file in tmp_path.iterdir() if "crc" not in file.name) == ["state", "whole"]


def test_states_that_do_not_fit_are_refused(spark, model, data, tmp_path):
    path = str(tmp_path / "state")
    model.saveState(path)
    with pytest.raises(Exception, match="something is there already"):
        model.saveState(path)
    assert PCA(k=2, initialState=path).fit(data).rowCount == 2 * len(ROWS)
    with pytest.raises(Exception, match="holds 5 numbers instead of 24"):
        PCA(k=2, initialState=path).fit(frame(spark, ROWS[:, :5]))
    content = bytearray((tmp_path / "state").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(Exception, match="ModelException"):
        PCA(k=2, initialState=str(tmp_path / "damaged")).fit(data)
    model.save(str(tmp_path / "model"))
    with pytest.raises(Exception, match="has no state"):
        PCAModel.load(str(tmp_path / "model")).saveState(str(tmp_path / "other"))
