# SPDX-License-Identifier: Apache-2.0
"""The estimator: numpy's and Spark ML's components in every shape of input and partitions, and refusals."""

import numpy as np
import pytest
from pyspark.ml.feature import PCA as StockPCA
from pyspark.ml.feature import StandardScaler
from pyspark.ml.linalg import DenseVector, SparseVector, Vectors
from pyspark.sql import functions as F

from pomona.spark import PCA
from support.pca import assert_near, reference, relu_rows, turned
from support.pca_frames import bits, components, frame, projected

ROWS = relu_rows(600, 40)


def vectors_frame(spark, vectors, parts=2):
    rows = spark.sparkContext.parallelize(list(enumerate(vectors)), parts)
    return rows.toDF(["id", "features"])


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("kind", ["array<float>", "array<double>", "vector"])
def test_components_are_numpys(spark, kind, standardize):
    model = PCA(k=12, standardize=standardize).fit(frame(spark, ROWS, kind))
    expected = reference(ROWS, standardize)
    assert_near(components(model), model.explainedVariance.toArray(), expected)
    assert_near(components(model), model.spectrum.toArray(), expected)
    assert np.allclose(model.mean, expected.mean, rtol=1e-12, atol=1e-12)
    assert np.allclose(model.std, expected.std, rtol=1e-12)
    assert (model.getK(), model.rowCount, model.skippedCount) == (12, len(ROWS), 0)
    largest = np.take_along_axis(components(model), np.abs(components(model)).argmax(axis=1)[:, None], axis=1)
    assert (largest > 0).all()


@pytest.mark.parametrize("standardize", [False, True])
def test_components_are_spark_mls(spark, standardize):
    data = frame(spark, ROWS, "vector").cache()
    ours = PCA(k=12, standardize=standardize).fit(data)
    column = "features"
    if standardize:
        scaler = StandardScaler(inputCol="features", outputCol="scaled", withMean=True, withStd=True).fit(data)
        data, column = scaler.transform(data), "scaled"
    stock = StockPCA(k=12, inputCol=column, outputCol="theirs").fit(data)
    assert np.abs(ours.explainedVariance.toArray() - stock.explainedVariance.toArray()).max() < 1e-9
    signs = np.sign((ours.pc.toArray() * stock.pc.toArray()).sum(axis=0))
    assert np.abs(ours.pc.toArray() - stock.pc.toArray() * signs).max() < 1e-6
    theirs = projected(stock.transform(data), "theirs") * signs
    assert np.abs(projected(ours.transform(data)) - theirs).max() < 1e-6 * np.abs(theirs).max()


def test_sparse_and_dense_vectors_mix(spark):
    rows = np.where(np.random.default_rng(3).random((200, 12)) < 0.7, 0, relu_rows(200, 12).astype(float))
    mixed = [
        DenseVector(row) if i % 2 else SparseVector(12, {j: v for j, v in enumerate(row) if v})
        for i, row in enumerate(rows)
    ]
    model = PCA(k=5).fit(vectors_frame(spark, mixed))
    assert_near(components(model), model.explainedVariance.toArray(), reference(rows))
    assert np.allclose(projected(model.transform(vectors_frame(spark, mixed))), rows @ components(model).T)


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_the_fewest_components_that_keep_the_share(spark, share):
    model = PCA(varianceTarget=share, standardize=True).fit(frame(spark, ROWS))
    expected = reference(ROWS, True)
    assert model.getK() == model.componentsFor(share) == expected.k_for(share)
    assert sum(model.spectrum) == pytest.approx(1, abs=1e-12) and len(model.spectrum) == 40
    for other in (0.8, 0.9, 0.95, 0.99):
        assert model.componentsFor(other) == expected.k_for(other)


@pytest.mark.parametrize("parts, tasks", [(1, 0), (2, 0), (7, 3), (1000, 40)])
def test_any_partitions_give_the_same_components(spark, parts, tasks):
    expected = reference(ROWS, True)
    data = frame(spark, ROWS, parts=3).repartition(parts, F.rand(seed=parts)).cache()
    model = PCA(k=12, standardize=True, maxTasks=tasks).fit(data)
    assert_near(components(model), model.explainedVariance.toArray(), expected)
    assert np.abs(model.explainedVariance.toArray() - expected.shares[:12]).max() < 1e-10


def test_the_same_partitions_give_the_same_bits(spark):
    data = frame(spark, ROWS, parts=37)
    first = bits(PCA(k=12, maxTasks=11).fit(data))
    assert all(bits(PCA(k=12, maxTasks=11).fit(data)) == first for _ in range(2))


def test_states_that_are_too_much_for_the_driver_merge_on_executors_to_the_same_bits(spark):
    data = frame(spark, ROWS, parts=90)
    estimator = PCA(k=12, maxTasks=70)
    expected = bits(estimator.fit(data))
    conf = spark.sparkContext._jsc.sc().conf()
    conf.set("spark.driver.maxResultSize", "100k")  # Spark itself holds tasks to it: 70 states are 480 kB
    try:
        assert bits(estimator.fit(data)) == expected
    finally:
        conf.remove("spark.driver.maxResultSize")


HOSTILE = {  # what is added to columns of mean 0 and deviation 1, and what multiplies them
    "mean": (1e8, np.ones(8)),
    "scales": (0, 10.0 ** np.linspace(-100, 100, 8)),
    "extremes": (0, 10.0 ** np.linspace(-300, 300, 8)),
}


@pytest.mark.parametrize("parts", [1, 16, 1000])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_columns(spark, name, parts):
    """In partitions that are shuffled; the arbiter sees the columns without the hostility."""
    offset, scale = HOSTILE[name]
    rows = np.random.default_rng(5).standard_normal((2000, 8)) @ np.triu(np.ones((8, 8))) + offset
    data = frame(spark, rows * scale, "array<double>").repartition(parts, F.rand(seed=parts)).cache()
    model = PCA(k=8, standardize=True, maxTasks=min(parts, 20)).fit(data)
    assert_near(components(model), model.explainedVariance.toArray(), reference(rows - offset, True))
    assert np.isfinite(projected(model.transform(data))).all()


def test_equal_eigenvalues_share_a_space(spark):
    """In pairs; an odd k ends in the midst of one."""
    rows = turned(1.0 + np.arange(20) // 2)
    data = frame(spark, rows, "array<double>")
    for k in (7, 20):
        model = PCA(k=k).fit(data)
        assert_near(components(model), model.explainedVariance.toArray(), reference(rows))
    assert np.abs(np.diff(model.explainedVariance.toArray())[::2]).max() < 1e-12


def test_columns_without_variance_and_without_rank(spark):
    rows = np.c_[ROWS[:, :6], np.full(len(ROWS), 7.0), np.zeros(len(ROWS)), ROWS[:, 0]]
    model = PCA(k=9, standardize=True).fit(frame(spark, rows, "array<double>"))
    assert_near(components(model)[:6], model.explainedVariance.toArray(), reference(rows, True))
    assert np.abs(model.explainedVariance.toArray()[6:]).max() < 1e-15
    out = projected(model.transform(frame(spark, rows, "array<double>")))
    assert np.isfinite(out).all() and np.abs(out[:, 6:]).max() < 1e-6


def test_fewer_rows_than_columns_and_one_column(spark):
    model = PCA(k=10).fit(frame(spark, ROWS[:4], "array<double>"))
    assert np.abs(model.explainedVariance.toArray()[3:]).max() < 1e-12 and model.getK() == 10
    one = PCA(varianceTarget=0.9).fit(frame(spark, ROWS[:, :1], "array<double>"))
    assert one.pc.toArray().tolist() == [[1.0]] and one.explainedVariance.toArray().tolist() == [1.0]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rows(spark, count):
    with pytest.raises(Exception, match="no vector: there is nothing to fit" if count == 0 else "at least 2 rows"):
        PCA(k=1).fit(frame(spark, ROWS[:count].reshape(count, 40), "array<double>"))


def test_rows_that_are_all_alike(spark):
    alike = frame(spark, np.ones((5, 3)), "array<double>")
    with pytest.raises(Exception, match="no variance"):
        PCA(varianceTarget=0.9).fit(alike)
    assert np.isfinite(PCA(k=2).fit(alike).explainedVariance.toArray()).all()


BAD = {
    "null": (None, "is null"),
    "short": ([1.0, 2.0], "holds 2 numbers instead of 3"),
    "long": ([1.0] * 4, "holds 4 numbers instead of 3"),
    "nan": ([1.0, float("nan"), 2.0], "holds NaN at position 1"),
    "infinity": ([1.0, 2.0, float("-inf")], "holds -Infinity at position 2"),
    "hole": ([None, 1.0, 2.0], "holds null at position 0"),
}


def spoilt(spark, bad, kind, paths=True, place=5):
    """Nine rows in three partitions, one of which is bad."""
    vectors = [[float(i), float(i * i % 7), 1.0] for i in range(9)]
    vectors[place] = bad
    rows = [(i, v, f"file:/images/{i}.jpg" if paths else None) for i, v in enumerate(vectors)]
    found = spark.createDataFrame(
        spark.sparkContext.parallelize(rows, 3), f"id int, features array<{kind}>, path string"
    )
    return found if paths else found.drop("path")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", ["float", "double"])
def test_a_bad_row_is_named_or_skipped(spark, name, kind):
    bad, fault = BAD[name]
    data = spoilt(spark, bad, kind)
    with pytest.raises(Exception, match=rf"file:/images/5.jpg: column features {fault}"):
        PCA(k=2).fit(data)
    with pytest.raises(Exception, match=rf"row 2 of partition 1: column features {fault}"):
        PCA(k=2).fit(spoilt(spark, bad, kind, paths=False))
    model = PCA(k=2, badRows="skip").fit(data)
    assert (model.rowCount, model.skippedCount) == (8, 1)
    good = np.array([row.features for row in data.where("id != 5").orderBy("id").collect()])
    assert_near(components(model), model.explainedVariance.toArray(), reference(good))
    out = {row.id: row.pca for row in model.transform(data).collect()}
    assert out[5] is None and sum(value is not None for value in out.values()) == 8
    with pytest.raises(Exception, match=rf"file:/images/5.jpg: column features {fault}"):
        model.setBadRows("error").transform(data).collect()


@pytest.mark.parametrize(
    "place, fault",
    [(0, "3 numbers instead of 2"), (3, "row 0 of partition 1.*2 numbers instead of 3")],
)
def test_the_first_vector_tells_the_length(spark, place, fault):
    """Of all, not of a task's share: each task has one partition here. Of several that are wrong any may come first."""
    with pytest.raises(Exception, match=fault):
        PCA(k=2, maxTasks=3).fit(spoilt(spark, [1.0, 2.0], "float", paths=False, place=place))


def test_bad_vectors_are_named_too(spark):
    vectors = [Vectors.dense([1.0, 2.0]), Vectors.sparse(2, [0], [3.0]), Vectors.sparse(2, [1], [float("nan")])]
    with pytest.raises(Exception, match="row 1 of partition 1: column features holds NaN at position 1"):
        PCA(k=1).fit(vectors_frame(spark, vectors))
    assert PCA(k=1, badRows="skip").fit(vectors_frame(spark, vectors)).skippedCount == 1


REFUSED = [
    ({}, "neither k nor varianceTarget"),
    ({"k": 2, "varianceTarget": 0.5}, "both set"),
    ({"k": 0}, "k given invalid value 0"),
    ({"k": 41}, "k is 41: vectors of 40 numbers"),
    ({"varianceTarget": 0.0}, "varianceTarget given invalid value"),
    ({"varianceTarget": 1.5}, "varianceTarget given invalid value"),
    ({"k": 1, "inputCol": "nope"}, "inputCol nope is not a column"),
    ({"k": 1, "inputCol": "id"}, "must be vector, array<float> or array<double>"),
    ({"k": 1, "outputCol": "id"}, "exists already"),
    ({"k": 1, "badRows": "ignore"}, "choose one of error, skip"),
    ({"k": 1, "outputType": "list"}, "choose one of array, vector"),
    ({"k": 1, "maxTasks": -1}, "maxTasks"),
    ({"k": 1, "initialState": "/no/such/state"}, "cannot be read"),
]


@pytest.mark.parametrize("params, message", REFUSED, ids=[message for _, message in REFUSED])
def test_wrong_params_are_refused(spark, params, message):
    with pytest.raises(Exception, match=message):
        PCA(**params).fit(frame(spark, ROWS[:5]))


def test_setters_getters_and_params(spark):
    stage = PCA().setK(3).setStandardize(True).setCenter(True).setBadRows("skip").setOutputType("array").setMaxTasks(9)
    stage.setInputCol("a").setOutputCol("b").setParams(initialState="/c")
    found = (stage.getK(), stage.getStandardize(), stage.getCenter(), stage.getBadRows(), stage.getOutputType())
    assert found == (3, True, True, "skip", "array")
    assert (stage.getMaxTasks(), stage.getInputCol(), stage.getOutputCol(), stage.getInitialState()) == (
        9,
        "a",
        "b",
        "/c",
    )
    assert PCA(varianceTarget=1).getVarianceTarget() == 1.0
    java = spark._jvm.pomona.spark.PCA()
    assert sorted(param.name for param in stage.params) == sorted(param.name() for param in java.params())
    assert stage.copy({stage.k: 5}).getK() == 5 and stage.getK() == 3
