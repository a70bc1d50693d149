# SPDX-License-Identifier: Apache-2.0
"""One file of twenty is bad: each mode does what it says with exactly those, and the others keep their numbers."""

import pytest
from pyspark.sql import functions as F

from pomona.spark import ImageFeaturizer, image_features
from support.built import TINY, features_by_cli
from support.vectors import by_name, rows_by_name


@pytest.fixture(scope="module")
def expected(spoilt, tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "out.npy"
    return rows_by_name(spoilt.good, features_by_cli(TINY, spoilt.good, out))


def test_permissive_gives_null_and_the_reason(read, spoilt, expected):
    frame = ImageFeaturizer(modelPath=str(TINY)).transform(read(spoilt.folder)).cache()
    assert by_name(frame) == {**expected, **dict.fromkeys(spoilt.bad)}
    errors = {row.path.rsplit("/", 1)[1]: row.error for row in frame.where("error IS NOT NULL").collect()}
    assert {name: error.split(": ")[0] for name, error in errors.items()} == spoilt.bad
    assert all(len(error.split(": ", 1)[1]) > 10 for error in errors.values())


def test_dropmalformed_leaves_exactly_those_out(read, spoilt, expected):
    frame = ImageFeaturizer(modelPath=str(TINY), mode="DROPMALFORMED").transform(read(spoilt.folder))
    assert by_name(frame) == expected
    assert frame.where("error IS NOT NULL").count() == 0


def test_failfast_names_a_file_and_its_reason(spark, read, spoilt):
    frame = ImageFeaturizer(modelPath=str(TINY), mode="FAILFAST").transform(read(spoilt.folder))
    with pytest.raises(Exception) as failure:
        frame.count()
    text = str(failure.value)
    assert any(name in text and code in text for name, code in spoilt.bad.items()), text
    assert spark.range(3).count() == 3  # the JVM lives


def test_failfast_without_a_path_names_the_row(read, spoilt):
    bad = read(spoilt.folder).where(F.col("path").contains(next(iter(spoilt.bad)))).select("content").coalesce(1)
    with pytest.raises(Exception, match="row 0 of partition 0 has no features: TRUNCATED"):
        ImageFeaturizer(modelPath=str(TINY), mode="failfast").transform(bad).count()


def test_limits_are_params(read, images):
    frame = ImageFeaturizer(modelPath=str(TINY), maxPixels=100, dropInput=True).transform(read(images[0]))
    assert frame.first().error.startswith("TOO_MANY_PIXELS: ")
    frame = ImageFeaturizer(modelPath=str(TINY), maxBytes=100).transform(read(images[0]))
    assert frame.first().error.startswith("TOO_LARGE: ")
    frame = ImageFeaturizer(modelPath=str(TINY), maxScans=1).transform(read(images[0]))  # a progressive one
    assert frame.first().error.startswith("TOO_MANY_SCANS: ")


def test_content_of_length_zero_is_empty(spark):
    frame = spark.createDataFrame([(b"",), (b"GIF89a",), (b"\xff\xd8\xff",)], "content binary")
    rows = ImageFeaturizer(modelPath=str(TINY)).transform(frame).collect()
    assert [row.error.split(":")[0] for row in rows] == ["EMPTY", "NOT_JPEG", "TRUNCATED"]


def test_sql_function_gives_null_or_fails(spark, read, spoilt, expected):
    frame = read(spoilt.folder).select("path", image_features("content", str(TINY)).alias("features"))
    assert by_name(frame) == {**expected, **dict.fromkeys(spoilt.bad)}
    spark.conf.set("spark.pomona.mode", "FAILFAST")
    try:
        frame = read(spoilt.folder).select(image_features("content", str(TINY)).alias("features"))
        with pytest.raises(Exception, match="has no features: "):
            frame.where("size(features) > 0").count()
    finally:
        spark.conf.unset("spark.pomona.mode")
