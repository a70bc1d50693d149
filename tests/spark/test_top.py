# SPDX-License-Identifier: Apache-2.0
"""The likeliest classes in Spark: by the stage, by SQL and from Python, each as the command line gives them."""

import csv
from pathlib import Path

import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType, StringType, StructField, StructType

from pomona.spark import ImageFeaturizer, image_top, register
from support.built import CLASSIFIER, TINY, run_cli
from support.tiny_net import CLASSES

PAIR = StructType([StructField("class", StringType(), False), StructField("probability", FloatType(), False)])


def _by_name(frame, column="features"):
    """File name -> list of (class, probability), None for null."""
    rows = frame.select("path", column).collect()
    return {Path(path).name: pairs and [tuple(pair) for pair in pairs] for path, pairs in rows}


@pytest.fixture(scope="module")
def expected(images):
    done = run_cli("features", "--model", CLASSIFIER, "--top", "3", *images)
    assert done.returncode == 0, done.stderr
    rows = csv.reader(done.stdout.splitlines())
    found = {Path(row[0]).name: list(zip(row[1::2], map(float, row[2::2]))) for row in rows}
    assert len({pairs[0][0] for pairs in found.values()}) > 1
    return found


def _near(found, expected):
    """The command line prints nine digits: the float that Spark widens."""
    assert found.keys() == expected.keys()
    for name, pairs in expected.items():
        assert [pair[0] for pair in found[name]] == [pair[0] for pair in pairs]
        assert [pair[1] for pair in found[name]] == pytest.approx([pair[1] for pair in pairs], rel=1e-8)


def test_stage_gives_the_classes_of_the_command_line(read, images, expected):
    stage = ImageFeaturizer(modelPath=str(CLASSIFIER), outputType="top", topK=3)
    frame = stage.transform(read(*images).coalesce(2))
    assert frame.schema["features"].dataType == ArrayType(PAIR, False)
    assert frame.schema["features"].metadata["pomona"]["length"] == len(CLASSES)
    _near(_by_name(frame), expected)
    assert frame.where("error IS NOT NULL").count() == 0


def test_five_are_named_by_default(read, images):
    stage = ImageFeaturizer(modelPath=str(CLASSIFIER)).setOutputType("top")
    assert stage.getTopK() == 5
    row = stage.transform(read(images[0])).first()
    assert sorted(pair["class"] for pair in row.features) == sorted(CLASSES)
    assert sum(pair.probability for pair in row.features) == pytest.approx(1, rel=1e-6)


def test_bad_images_have_null_and_their_reason(read, spoilt):
    stage = ImageFeaturizer(modelPath=str(CLASSIFIER), outputType="top", topK=1)
    rows = stage.transform(read(spoilt.folder)).select("path", "features", "error").collect()
    bad = {Path(row.path).name: row.error.split(":")[0] for row in rows if row.features is None}
    assert bad == spoilt.bad
    assert all(row.error is None and len(row.features) == 1 for row in rows if row.features)


def test_sql_and_python_give_the_same(spark, read, images, expected):
    register(spark)
    frame = read(*images)
    frame.createOrReplaceTempView("images")
    by_sql = spark.sql(f"SELECT path, image_top(content, 3, '{CLASSIFIER}') AS top FROM images")
    assert by_sql.schema["top"].dataType == ArrayType(PAIR, False)
    _near(_by_name(by_sql, "top"), expected)
    assert _by_name(frame.select("path", image_top("content", 3, str(CLASSIFIER)).alias("top")), "top") == _by_name(
        by_sql, "top"
    )
    best = (
        spark.sql(f"SELECT image_top(content, 1, '{CLASSIFIER}')[0].class AS best FROM images").groupBy("best").count()
    )
    assert {row.best for row in best.collect()} == {pairs[0][0] for pairs in expected.values()}


def test_sql_takes_the_model_of_the_session(spark, read, images):
    spark.conf.set("spark.pomona.model", str(CLASSIFIER))
    try:
        assert len(read(images[0]).select(image_top("content", 2).alias("top")).first().top) == 2
    finally:
        spark.conf.unset("spark.pomona.model")


def test_null_and_bad_images_give_null(spark, read, spoilt):
    top = image_top(F.col("content"), 1, str(CLASSIFIER)).alias("top")
    rows = read(spoilt.folder).select("path", top).collect()
    assert {Path(row.path).name for row in rows if row.top is None} == set(spoilt.bad)
    nothing = spark.sql("SELECT CAST(null AS binary) AS content").select(top)
    assert nothing.first().top is None


def test_a_saved_stage_keeps_its_classes(read, images, tmp_path):
    stage = ImageFeaturizer(modelPath=str(CLASSIFIER), outputType="top", topK=2)
    PipelineModel([stage]).save(str(tmp_path / "pipeline"))
    (loaded,) = PipelineModel.load(str(tmp_path / "pipeline")).stages
    assert (loaded.getOutputType(), loaded.getTopK()) == ("top", 2)
    assert _by_name(loaded.transform(read(*images))) == _by_name(stage.transform(read(*images)))


@pytest.mark.parametrize(
    ("model", "k", "message"),
    [
        (TINY, 1, "has no classifier with named classes"),
        (CLASSIFIER, 6, "has 5 classes: the likeliest 6 cannot be named"),
    ],
)
def test_what_cannot_be_named_is_refused_before_any_task(spark, read, images, model, k, message):
    with pytest.raises(Exception, match=message):
        ImageFeaturizer(modelPath=str(model), outputType="top", topK=k).transform(read(images[0]))
    with pytest.raises(Exception, match=message):
        read(images[0]).select(image_top("content", k, str(model)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("image_top(content)", r"takes \(content, k\) or \(content, k, model\), not 1"),
        ("image_top(content, 1)", "as the third argument, or set spark.pomona.model"),
        ("image_top(content, 'x', 'y')", "k is x: it must be a literal whole number"),
        ("image_top(content, CAST(length AS int), 'y')", "k must be a literal whole number"),
        ("image_top(content, 0, '{classifier}')", "the likeliest 0 cannot be named"),
        ("image_top(path, 1, 'y')", "must be binary"),
        ("image_top(content, 1, path)", "must be a literal"),
    ],
)
def test_wrong_calls_are_refused_at_analysis(spark, read, images, call, message):
    register(spark)
    with pytest.raises(Exception, match=message):
        read(images[0]).selectExpr(call.format(classifier=CLASSIFIER))
