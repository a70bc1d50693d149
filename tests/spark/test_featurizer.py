# SPDX-License-Identifier: Apache-2.0
"""The stage on whole images: the command line's numbers in every shape, and refusals that say why."""

import re

import numpy as np
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, FloatType, StringType, StructField, StructType

from pomona.spark import ImageFeaturizer, diagnostics
from support.built import TINY, features_by_cli, run_cli, skip_without_bf16
from support.material import built_model
from support.vectors import by_name, rows_by_name

VARIANTS = [
    {},
    {"pooling": "max", "resample": "lanczos"},
    {"pooling": "none", "fit": "crop", "resample": "nearest"},
    {"corruptData": "accept", "resample": "bilinear"},
    {"fastDecode": True, "resample": "box"},
]
WORDS = {"corruptData": "--corrupt-data", "fastDecode": "--fast-decode"}


def words_of(variant):
    """The command line's words for Params."""
    return [
        word
        for name, value in variant.items()
        for word in [WORDS.get(name, "--" + name), *([] if value is True else [value])]
    ]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(words_of(variant)) or "defaults")
@pytest.mark.parametrize("batch", [1, 7, 256])
def test_vectors_are_the_command_lines(read, images, tmp_path, variant, batch):
    expected = features_by_cli(TINY, images, tmp_path / "out.npy", *words_of(variant))
    frame = ImageFeaturizer(modelPath=str(TINY), batchSize=batch, **variant).transform(read(*images))
    assert by_name(frame) == rows_by_name(images, expected)


def test_fast_decode_is_off_by_default_and_makes_other_vectors(read, images):
    vectors = [
        by_name(ImageFeaturizer(modelPath=str(TINY), **given).transform(read(*images)))
        for given in ({}, {"fastDecode": False}, {"fastDecode": True})
    ]
    assert vectors[0] == vectors[1] and vectors[0].keys() == vectors[2].keys()
    assert all(vectors[0][name] != vectors[2][name] for name in vectors[0])


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNet-Lite0"])
def test_real_models_give_the_command_lines_vectors(read, images, tmp_path, name):
    model = built_model(name)
    expected = features_by_cli(model, images, tmp_path / "out.npy")
    frame = ImageFeaturizer(modelPath=str(model)).transform(read(*images))
    assert by_name(frame) == rows_by_name(images, expected)


def test_bf16_gives_the_command_lines_vectors_and_says_so(read, images, tmp_path):
    skip_without_bf16()
    expected = features_by_cli(TINY, images, tmp_path / "out.npy", "--precision", "bf16", level="")
    frame = ImageFeaturizer(modelPath=str(TINY), precision="bf16").transform(read(*images))
    found = by_name(frame)
    assert found == rows_by_name(images, expected)
    assert found != by_name(ImageFeaturizer(modelPath=str(TINY)).transform(read(*images)))
    assert frame.schema["features"].metadata["pomona"]["precision"] == "bf16"


def test_auto_precision_is_settled_on_the_driver(read, images):
    """No kernel here is as accurate as fp32 and faster."""
    auto, fp32 = (ImageFeaturizer(modelPath=str(TINY), precision=p).transform(read(*images)) for p in ("auto", "fp32"))
    assert auto.schema["features"].metadata["pomona"]["precision"] == "fp32" and by_name(auto) == by_name(fp32)


def test_vector_column_holds_the_same_numbers(read, images):
    array = ImageFeaturizer(modelPath=str(TINY)).transform(read(*images))
    vector = ImageFeaturizer(modelPath=str(TINY), outputType="vector").transform(read(*images))
    assert vector.schema["features"].metadata["ml_attr"]["num_attrs"] == len(array.first().features)
    assert by_name(vector.withColumn("features", vector_to_array("features", "float32"))) == by_name(array)


def test_other_columns_and_their_metadata_stay(read, images):
    marked = read(*images).withColumn("a.b `c`", F.lit(1).cast("decimal(5,2)"))
    marked = marked.withColumn("label", F.lit("x").alias("label", metadata={"kept": True}))
    frame = ImageFeaturizer(modelPath=str(TINY)).transform(marked)
    assert frame.columns == [*marked.columns, "features", "error"]
    assert frame.schema["label"].metadata == {"kept": True}
    assert frame.select(*[f"`{name.replace('`', '``')}`" for name in marked.columns]).exceptAll(marked).count() == 0


def test_metadata_says_what_made_the_vectors(read, images):
    frame = ImageFeaturizer(modelPath=str(TINY), resample="box").transform(read(*images))
    about = frame.schema["features"].metadata["pomona"]
    assert about["resample"] == "box" and about["precision"] == "fp32" and len(about["sha256"]) == 64
    assert about["length"] == len(frame.first().features) and about["model"] and about["version"]
    assert frame.schema["features"].dataType == ArrayType(FloatType(), False)


def test_drop_input_and_names(read, images):
    stage = ImageFeaturizer(modelPath=str(TINY), dropInput=True, inputCol="bytes", outputCol="bytes", errorCol="why")
    frame = stage.transform(read(*images).select("path", F.col("content").alias("bytes")))
    assert frame.columns == ["path", "bytes", "why"]
    assert frame.where("bytes IS NOT NULL AND why IS NULL").count() == len(images)


def test_null_gives_null_without_a_reason(spark, images):
    rows = [(None,), (images[0].read_bytes(),), (None,)]
    frame = spark.createDataFrame(rows, StructType([StructField("content", BinaryType())]))
    for mode in ("PERMISSIVE", "DROPMALFORMED", "FAILFAST"):
        found = ImageFeaturizer(modelPath=str(TINY), mode=mode).transform(frame).collect()
        assert [row.features is None for row in found] == [True, False, True]
        assert [row.error for row in found] == [None] * 3


def test_an_empty_input_gives_an_empty_output(spark):
    frame = spark.createDataFrame([], StructType([StructField("content", BinaryType())]))
    assert ImageFeaturizer(modelPath=str(TINY)).transform(frame).count() == 0


REFUSED = [
    ({"inputCol": "nope"}, "inputCol nope is not a column"),
    ({"inputCol": "path"}, "must be binary"),
    ({"outputCol": "path"}, "exists already"),
    ({"errorCol": "features"}, "are both features"),
    ({"modelPath": "/no/such/model"}, "does not exist"),
    ({"modelPath": "/tmp"}, "is a directory"),
    ({"pooling": "median"}, "choose one of avg, max, none"),
    ({"mode": "lenient"}, "choose one of permissive, dropmalformed, failfast"),
    ({"batchSize": 0}, "batchSize"),
    ({"maxPixels": -7}, "maxPixels"),
]


@pytest.mark.parametrize("params, message", REFUSED, ids=[message for _, message in REFUSED])
def test_wrong_params_are_refused_on_the_driver(read, images, params, message):
    with pytest.raises(Exception, match=message):
        ImageFeaturizer(**{"modelPath": str(TINY), **params}).transform(read(*images))


def test_a_precision_that_the_cpu_lacks_is_refused_on_the_driver(read, images):
    if re.search(r"^bf16 +amx$", run_cli("doctor").stdout, re.MULTILINE):
        pytest.skip("this CPU has AMX")
    with pytest.raises(Exception, match="needs AMX kernels"):
        ImageFeaturizer(modelPath=str(TINY), precision="fp32-split").transform(read(*images))


def test_a_missing_model_path_is_named(read, images):
    with pytest.raises(Exception, match="modelPath is not set"):
        ImageFeaturizer().transform(read(*images))


def test_a_damaged_model_is_refused_before_any_task(spark, read, images, tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    content = bytearray(TINY.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(Exception, match="ModelException"):
        ImageFeaturizer(modelPath=str(damaged)).transform(read(*images))


def test_setters_getters_and_params(spark):
    stage = ImageFeaturizer().setPooling("max").setMaxPixels(1 << 40).setDropInput(True).setParams(batchSize=3)
    assert (stage.getPooling(), stage.getMaxPixels(), stage.getDropInput(), stage.getBatchSize()) == (
        "max",
        1 << 40,
        True,
        3,
    )
    assert stage.getInputCol() == "content" and stage.getMode() == "PERMISSIVE"
    java = spark._jvm.pomona.spark.ImageFeaturizer()
    assert sorted(param.name for param in stage.params) == sorted(param.name() for param in java.params())
    assert stage.copy({stage.pooling: "avg"}).getPooling() == "avg"


def test_sessions_go_back_and_nothing_leaks(spark, read, images):
    ImageFeaturizer(modelPath=str(TINY)).transform(read(*images)).count()
    facts = diagnostics(spark, tasks=2)[0]
    assert facts["handles"] == facts["models"] and facts["leaks"] == "0"


def test_types_of_content_other_than_binary_are_refused(spark):
    frame = spark.createDataFrame([("x",)], StructType([StructField("content", StringType())]))
    with pytest.raises(Exception, match="content is string: it must be binary"):
        ImageFeaturizer(modelPath=str(TINY)).transform(frame)


def test_vectors_are_not_all_alike(read, images):
    found = by_name(ImageFeaturizer(modelPath=str(TINY)).transform(read(*images)))
    assert len(set(found.values())) == len(images)
    assert all(np.isfinite(np.frombuffer(vector, np.float32)).all() for vector in found.values())
