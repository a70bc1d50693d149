# SPDX-License-Identifier: Apache-2.0
"""Stages and pipelines saved and loaded, in Python and in the JVM, without the model file they were made with."""

import shutil

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import StandardScaler

from pomona.spark import ImageFeaturizer
from support.built import TINY
from support.vectors import by_name


@pytest.fixture()
def model(tmp_path):
    return shutil.copy(TINY, tmp_path / "mine.safetensors")


def test_a_stage_carries_its_model(read, images, model, tmp_path):
    stage = ImageFeaturizer(modelPath=str(model), pooling="max", maxPixels=123456)
    expected = by_name(stage.transform(read(*images)))
    stage.save(str(tmp_path / "stage"))
    model.unlink()
    moved = shutil.move(tmp_path / "stage", tmp_path / "elsewhere")
    loaded = ImageFeaturizer.load(str(moved))
    assert loaded.uid == stage.uid and loaded.getMaxPixels() == 123456
    assert str(moved) in loaded.getModelPath()
    assert by_name(loaded.transform(read(*images))) == expected


def test_pipeline_from_python_to_the_jvm_and_back(spark, read, images, model, tmp_path):
    frame = read(*images)
    stages = [
        ImageFeaturizer(modelPath=str(model), outputType="vector", dropInput=True),
        StandardScaler(inputCol="features", outputCol="scaled", withMean=True),
    ]
    fitted = Pipeline(stages=stages).fit(frame)
    expected = by_name(fitted.transform(frame), "scaled")
    fitted.write().save(str(tmp_path / "python"))
    model.unlink()

    java = spark._jvm.org.apache.spark.ml.PipelineModel.load(str(tmp_path / "python"))
    assert java.stages()[0].getClass().getName() == "pomona.spark.ImageFeaturizer"
    java.write().save(str(tmp_path / "java"))
    shutil.rmtree(tmp_path / "python")

    back = PipelineModel.load(str(tmp_path / "java"))
    assert type(back.stages[0]) is ImageFeaturizer
    assert by_name(back.transform(frame), "scaled") == expected


def test_an_unfitted_pipeline_is_saved_too(read, images, model, tmp_path):
    Pipeline(stages=[ImageFeaturizer(modelPath=str(model))]).save(str(tmp_path / "pipeline"))
    loaded = Pipeline.load(str(tmp_path / "pipeline"))
    assert loaded.fit(read(*images)).transform(read(*images)).count() == len(images)


def test_a_damaged_copy_is_refused(model, tmp_path):
    ImageFeaturizer(modelPath=str(model)).save(str(tmp_path / "stage"))
    (copy,) = (tmp_path / "stage/model").glob("*.safetensors")
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    (tmp_path / f"stage/model/.{copy.name}.crc").unlink()  # Hadoop's own sum would find it first
    with pytest.raises(Exception, match="is damaged: its sha256 is"):
        ImageFeaturizer.load(str(tmp_path / "stage"))


def test_overwrite_is_asked_for(model, tmp_path):
    stage = ImageFeaturizer(modelPath=str(model))
    stage.save(str(tmp_path / "stage"))
    with pytest.raises(Exception, match="already exists"):
        stage.save(str(tmp_path / "stage"))
    stage.write().overwrite().save(str(tmp_path / "stage"))


def test_a_loaded_stage_is_saved_over_itself(read, images, model, tmp_path):
    """Its model lies in the folder that Spark clears first."""
    ImageFeaturizer(modelPath=str(model)).save(str(tmp_path / "stage"))
    expected = by_name(ImageFeaturizer.load(str(tmp_path / "stage")).transform(read(*images)))
    ImageFeaturizer.load(str(tmp_path / "stage")).write().overwrite().save(str(tmp_path / "stage"))
    Pipeline(stages=[ImageFeaturizer.load(str(tmp_path / "stage"))]).write().save(str(tmp_path / "pipeline"))
    Pipeline.load(str(tmp_path / "pipeline")).write().overwrite().save(str(tmp_path / "pipeline"))
    stage = Pipeline.load(str(tmp_path / "pipeline")).getStages()[0]
    assert by_name(stage.transform(read(*images))) == expected
