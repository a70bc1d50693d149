# SPDX-License-Identifier: Apache-2.0
"""The README's snippets, taken from its text and run as they stand; the default model's name leads to the tiny net."""

import re
import subprocess

import numpy as np
import pytest

from support import spark
from support.built import PYTHON_SOURCES, TINY, TOP

README = (TOP / "README.md").read_text()
MODEL = "efficientnet_lite0.safetensors"
SAVE = 'features.selectExpr("path", "{features} AS features").write.parquet("features")'


def snippet(language, containing):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    [found] = [body for name, body in blocks if name == language and containing in body]
    return found


@pytest.fixture
def folder(tmp_path, pictures):
    """A working directory with the model under the name that the snippets use, and the pictures in images/."""
    (tmp_path / MODEL).symlink_to(TINY)
    (tmp_path / "images").symlink_to(pictures.folder)
    return tmp_path


def run_snippet(folder, program, *arguments, conf=None):
    done = spark.launch(program, *arguments, cwd=folder, conf=conf or {}, PYTHONPATH=str(PYTHON_SOURCES))
    assert (folder / "features/_SUCCESS").exists(), done.stdout + done.stderr


def good(pictures):
    """Spark's vector_to_array takes no null."""
    return {name: vector for name, vector in pictures.expected.items() if vector is not None}


def test_pyspark(folder, jar, pictures):
    lines = ["from pyspark.sql import SparkSession", "spark = SparkSession.builder.getOrCreate()"]
    lines += [f"uri = {str(pictures.folder)!r}", snippet("python", "ImageFeaturizer")]
    lines += [snippet("python", "PCA("), "assert reduced.where('pca IS NOT NULL').count() == 10"]
    lines += ["from pyspark.ml.functions import vector_to_array"]
    lines += ['features = features.where("features IS NOT NULL")']
    lines += ['features = features.withColumn("features", vector_to_array("features", "float32"))']
    (folder / "job.py").write_text("\n".join([*lines, SAVE.format(features="features")]))
    run_snippet(folder, "spark-submit", "--jars", jar, "job.py")
    assert spark.same_bits(spark.read_features(folder / "features"), good(pictures))


def test_scala(folder, jar, pictures):
    lines = [f'val uri = "{pictures.folder}"', snippet("scala", "ImageFeaturizer")]
    lines += ["import org.apache.spark.ml.functions.vector_to_array"]
    lines += ['val good = features.where("features IS NOT NULL")']
    lines += ['good.select(col("path"), vector_to_array(col("features"), "float32").as("features"))']
    lines[-1] += '.write.parquet("features")'
    (folder / "job.scala").write_text("\n".join(["import org.apache.spark.sql.functions.col", *lines]))
    run_snippet(folder, "spark-shell", "--jars", jar, "-i", "job.scala")
    assert spark.same_bits(spark.read_features(folder / "features"), good(pictures))


def test_sql(folder, jar, pictures):
    query = snippet("sql", "image_features").replace("/images", f"{pictures.folder}/*")
    lines = ["from pyspark.sql import SparkSession", "spark = SparkSession.builder.getOrCreate()"]
    lines += [f'features = spark.sql("""{query}""")', SAVE.format(features="features")]
    (folder / "job.py").write_text("\n".join(lines))
    [extension] = re.findall(r"--conf (spark.sql.extensions)=([\w.]+)", README)
    run_snippet(folder, "spark-submit", "--jars", jar, "job.py", conf=dict([extension]))
    assert spark.same_bits(spark.read_features(folder / "features"), pictures.expected)


def test_command_line(folder, cli, pictures):
    command = snippet("", "pomona features --model").replace("pomona", str(cli))
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and "broken.jpg: NOT_JPEG" in done.stderr
    names = [path.name for path in sorted(pictures.folder.rglob("*.jpg"))]
    vectors = dict(zip(names, np.load(folder / "features.npy")))
    assert np.isnan(vectors["broken.jpg"]).all()
    assert spark.same_bits({**vectors, "broken.jpg": None}, pictures.expected)
