# SPDX-License-Identifier: Apache-2.0
"""The SQL function image_features(content[, model])."""

import subprocess
import sys

import pytest

from pomona.spark import ImageFeaturizer, image_features, register
from support.built import TINY, TOP, jar_path
from support.spark import launch
from support.vectors import by_name


@pytest.fixture()
def model(spark):
    spark.conf.set("spark.pomona.model", str(TINY))
    yield str(TINY)
    for name in ("model", "pooling", "resample", "fastDecode"):
        spark.conf.unset(f"spark.pomona.{name}")


def test_vectors_are_the_stages(spark, read, images, model):
    frame = read(*images)
    expected = by_name(ImageFeaturizer(modelPath=model).transform(frame))
    assert by_name(frame.select("path", image_features("content").alias("features"))) == expected
    assert by_name(frame.select("path", image_features("content", model).alias("features"))) == expected
    register(spark)
    frame.createOrReplaceTempView("pictures")
    assert by_name(spark.sql("SELECT path, image_features(content) AS features FROM pictures")) == expected
    assert by_name(spark.sql(f"SELECT path, image_features(content, '{TINY}') AS features FROM pictures")) == expected


def test_settings_of_the_session_hold(spark, read, images, model):
    frame = read(*images)
    spark.conf.set("spark.pomona.pooling", "max")
    spark.conf.set("spark.pomona.resample", "box")
    spark.conf.set("spark.pomona.fastDecode", "true")
    stage = ImageFeaturizer(modelPath=model, pooling="max", resample="box", fastDecode=True)
    expected = by_name(stage.transform(frame))
    assert by_name(frame.select("path", image_features("content").alias("features"))) == expected


def test_registered_as_a_java_function(spark, read, images, model):
    spark.udf.registerJavaFunction("features_of", "pomona.spark.ImageFeatures")
    expected = by_name(ImageFeaturizer(modelPath=model).transform(read(*images)))
    assert by_name(read(*images).selectExpr("path", "features_of(content) AS features")) == expected


def test_constants_are_evaluated_on_the_driver(spark, model, images):
    register(spark)
    literal = images[0].read_bytes().hex()
    row = spark.sql(
        f"SELECT image_features(X'{literal}') AS good, image_features(X'00') AS bad, image_features(NULL) AS none"
    )
    assert [value is None for value in row.first()] == [False, True, True]


REFUSED = [
    ("image_features(content)", "spark.pomona.model"),
    ("image_features(content, '/no/such')", "does not exist"),
    ("image_features(path, 'x')", "must be binary"),
    ("image_features(content, path)", "must be a literal"),
    ("image_features()", r"takes \(content\) or \(content, model\)"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[call for call, _ in REFUSED])
def test_wrong_calls_are_refused_at_analysis(spark, read, images, call, message):
    register(spark)
    with pytest.raises(Exception, match=message):
        read(images[0]).selectExpr(call)


def test_limit_computes_few_rows(spark, read, images, model):
    """Row at a time, so that a look at a few rows is cheap."""
    frame = read(*images).coalesce(1).select(image_features("content").alias("features"))
    assert len(frame.limit(2).collect()) == 2


def test_functions_come_with_the_jar_alone(images, tmp_path):
    """In spark-shell, whose sessions look for extensions as services."""
    script = tmp_path / "script.scala"
    script.write_text(
        f"""val images = spark.read.format("binaryFile").load("{images[0]}")
        println("LENGTH=" + images.selectExpr("size(image_features(content, '{TINY}'))").head.getInt(0))
        println("LOADS=" + spark.sql("SELECT pomona_diagnostics()['modelLoads']").head.getString(0))
        System.exit(0)"""
    )
    done = launch("spark-shell", "--jars", str(jar_path()), "-i", str(script), cwd=tmp_path)
    assert "LENGTH=" in done.stdout and "LOADS=1" in done.stdout, done.stdout + done.stderr


def test_functions_come_with_the_setting_in_pyspark(images):
    program = f"""
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder = builder.config("spark.sql.extensions", "pomona.spark.ImageFeaturesExtension")
spark = builder.config("spark.jars", "{jar_path()}").getOrCreate()
images = spark.read.format("binaryFile").load("{images[0]}")
print("LENGTH=%d" % images.selectExpr("size(image_features(content, '{TINY}'))").first()[0])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=TOP, capture_output=True, text=True, timeout=120)
    assert "LENGTH=" in done.stdout, done.stdout + done.stderr
