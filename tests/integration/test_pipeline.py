# SPDX-License-Identifier: Apache-2.0
"""The job end to end under plain spark-submit: what it writes, counts, refuses.

spark-submit puts what Python writes to stderr into stdout.
"""

import json
import re
import shutil

import numpy as np
import pyarrow.parquet
import pytest

from support import spark
from support.built import PYTHON_SOURCES, TINY

SUMMARY = re.compile(
    r"images=(\d+) errors=(\d+) seconds=([\d.]+) images_per_second=([\d.]+) k=(\d+) variance=([\d.]+) out=(.+)"
)


def pipeline(jar, images, out, *options, model=TINY):
    return spark.submit(jar, "pipeline", "--images", images, "--model", model, "--out", out, *options)


def summary(done):
    """The fields of the last line of the output."""
    found = SUMMARY.fullmatch(done.stdout.splitlines()[-1])
    assert found, done.stdout + done.stderr
    names = ("images", "errors", "seconds", "images_per_second", "k", "variance", "out")
    return dict(zip(names, found.groups()))


@pytest.fixture(scope="module")
def run(jar, pictures, tmp_path_factory):
    """A run over ten good images and one that is none."""
    out = tmp_path_factory.mktemp("run") / "out"
    done = pipeline(jar, pictures.folder, out, "--variance", "0.8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done, out


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the run's folder, to spoil."""
    return shutil.copytree(run[1], tmp_path / "copy")


def test_last_line_counts(run):
    done, out = run
    found = summary(done)
    assert (found["images"], found["errors"], found["out"]) == ("11", "1", str(out))
    assert float(found["seconds"]) > 0 and float(found["images_per_second"]) > 0
    assert 0.8 <= float(found["variance"]) <= 1
    for step in ("list", "features", "fit", "pca", "model", "report"):
        assert re.search(rf"^  {step} .* s$", done.stdout, re.MULTILINE), step


def test_features_are_the_command_lines(run, pictures):
    assert spark.same_bits(spark.read_features(run[1] / "features"), pictures.expected)
    table = pyarrow.parquet.read_table(str(run[1] / "features"))
    assert table.column_names == ["path", "label", "features", "error"]
    for row in table.to_pylist():
        assert row["label"] == row["path"].split("/")[-2]
        assert (row["features"] is None) == bool(row["error"]) == row["path"].endswith("broken.jpg")


def reference_pca(vectors):
    """Standardised vectors (n - 1, constant columns to zero), their principal axes and variances, by numpy."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    deviation = centred.std(axis=0, ddof=1)
    scaled = centred * np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
    return scaled, axes, singular**2 / (singular**2).sum()


def test_components_reach_the_target_and_no_more(run, pictures):
    done, out = run
    names = sorted(name for name, vector in pictures.expected.items() if vector is not None)
    scaled, axes, share = reference_pca(np.array([pictures.expected[name] for name in names]))
    k = int(summary(done)["k"])
    assert share[:k].sum() >= 0.8 > share[: k - 1].sum()
    table = pyarrow.parquet.read_table(str(out / "pca"))
    assert table.column_names == ["path", "label", "pca"]
    ours = {row["path"].split("/")[-1]: row["pca"] for row in table.to_pylist()}
    assert sorted(ours) == names
    actual, expected = np.array([ours[name] for name in names]), scaled @ axes[:k].T
    expected *= np.sign((actual * expected).sum(axis=0))
    assert np.abs(actual - expected).max() < 1e-6 * np.abs(expected).max()


def test_record_and_report(run):
    facts = json.loads((run[1] / "run.json").read_text())
    assert facts["errors_by_reason"] == {"NOT_JPEG": 1}
    assert facts["labels"] == {"dark": 5, "light": 5}
    assert sum(facts["reduction"]["explained"]) == pytest.approx(1)
    assert len(facts["samples"]) == 8 and len(facts["scatter"]["points"]) == 10
    page = (run[1] / "report.html").read_text()
    assert page.count("<svg viewBox") == 3 and page.count("<img ") == 8
    assert "NOT_JPEG" in page and "broken.jpg" in page


LOAD = """
import sys
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
images = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(sys.argv[2])
rows = PipelineModel.load(sys.argv[1]).transform(images).select("path", vector_to_array("pca").alias("pca"))
rows.write.parquet(sys.argv[3])
"""


def test_saved_model_serves_new_images(run, jar, pictures, tmp_path):
    script = tmp_path / "load.py"
    script.write_text(LOAD)
    files = (run[1] / "model", pictures.folder, tmp_path / "again")
    done = spark.launch("spark-submit", "--jars", jar, script, *files, PYTHONPATH=str(PYTHON_SOURCES))
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = ({row["path"]: row["pca"] for row in read(path)} for path in (run[1] / "pca", tmp_path / "again"))
    assert one == two


def read(folder):
    return pyarrow.parquet.read_table(str(folder)).to_pylist()


def test_existing_run_is_refused_then_overwritten(jar, pictures, copy):
    before = (copy / "run.json").read_bytes()
    done = pipeline(jar, pictures.folder, copy)
    assert done.returncode == 2
    assert "--overwrite" in done.stdout
    assert (copy / "run.json").read_bytes() == before
    (copy / "mine.txt").write_text("stays")
    done = pipeline(jar, pictures.folder / "light", copy, "--overwrite", "--variance", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (summary(done)["images"], summary(done)["errors"]) == ("5", "0")
    assert len(read(copy / "features")) == 5
    assert (copy / "mine.txt").read_text() == "stays"


def test_folder_of_something_else_is_refused(jar, pictures, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/one.txt").write_text("dear")
    done = pipeline(jar, pictures.folder, tmp_path / "letters", "--overwrite")
    assert done.returncode == 2
    assert "no folder of a run" in done.stdout
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["one.txt"]


def test_steps_apart_equal_the_whole(run, jar, pictures, tmp_path):
    out = tmp_path / "out"
    done = spark.submit(jar, "featurize", "--images", pictures.folder, "--model", TINY, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("images=11 errors=1 images_per_second=")
    assert not (out / "pca").exists()
    done = spark.submit(jar, "reduce", "--out", out, "--variance", "0.8")
    assert done.returncode == 0, done.stdout + done.stderr
    whole, apart = ({row["path"]: row["pca"] for row in read(folder / "pca")} for folder in (run[1], out))
    assert summary(done)["k"] == summary(run[0])["k"]
    assert whole.keys() == apart.keys()
    assert all(np.allclose(whole[path], apart[path], rtol=1e-9, atol=1e-9) for path in whole)


@pytest.mark.parametrize("name, content", [("notes.txt", b"no image"), (None, None)])
def test_no_images(jar, tmp_path, name, content):
    folder = tmp_path / "images"
    folder.mkdir()
    if name:
        (folder / name).write_bytes(content)
    done = pipeline(jar, folder, tmp_path / "out")
    assert done.returncode == 3
    assert f"no images found under {folder}" in done.stdout
    assert not (tmp_path / "out").exists()


def test_no_good_images(jar, tmp_path):
    for name, content in (("a.jpg", b""), ("b.jpg", b"text")):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes(content)
    done = pipeline(jar, tmp_path / "images", tmp_path / "out")
    assert done.returncode == 3
    assert "none of the 2 images gave features (1 EMPTY, 1 NOT_JPEG)" in done.stdout
    rows = {row["path"]: row["error"].split(":")[0] for row in read(tmp_path / "out/features")}
    assert rows == {f"file:{tmp_path}/images/a.jpg": "EMPTY", f"file:{tmp_path}/images/b.jpg": "NOT_JPEG"}


def test_one_good_image_is_too_few(jar, pictures, tmp_path):
    (tmp_path / "images").mkdir()
    shutil.copy(pictures.folder / "light/0.jpg", tmp_path / "images")
    done = pipeline(jar, tmp_path / "images", tmp_path / "out")
    assert done.returncode == 3
    assert "at least 2 are needed" in done.stdout


def test_equal_images_have_no_variance(jar, pictures, tmp_path):
    (tmp_path / "images").mkdir()
    for name in "abc":
        shutil.copy(pictures.folder / "light/0.jpg", tmp_path / f"images/{name}.jpg")
    done = pipeline(jar, tmp_path / "images", tmp_path / "out")
    assert done.returncode == 3
    assert "no variance" in done.stdout


def test_odd_names_and_a_glob(jar, pictures, tmp_path):
    """Labels and files that mean something to a shell, to HTML or in a URI; the other folder does not match."""
    label = "a & <b> #é%20"
    for folder in (label, "other"):
        shutil.copytree(pictures.folder / "light", tmp_path / "images" / folder)
    (tmp_path / "images" / label / "no bytes+100%25.jpg").touch()
    done = pipeline(jar, tmp_path / "images" / "a*", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (summary(done)["images"], summary(done)["errors"]) == ("6", "1")
    assert {row["label"] for row in read(tmp_path / "out/pca")} == {label}
    page = (tmp_path / "out/report.html").read_text()
    assert "a &amp; &lt;b&gt; #é%20" in page and "<b>" not in page.split("<h2>First")[1]
    assert page.count("<img ") == 4


def test_missing_model_is_named(jar, pictures, tmp_path):
    done = pipeline(jar, pictures.folder, tmp_path / "out", model=tmp_path / "absent.safetensors")
    assert done.returncode == 3
    assert "absent.safetensors" in done.stdout
    assert not (tmp_path / "out").exists()


def test_failfast_names_the_file(jar, pictures, tmp_path):
    done = pipeline(jar, pictures.folder, tmp_path / "out", "--mode", "failfast")
    assert done.returncode == 3
    assert "broken.jpg" in done.stdout.strip().splitlines()[-1]


def test_dropped_rows_are_counted(jar, pictures, tmp_path):
    images = shutil.copytree(pictures.folder, tmp_path / "images")
    (images / "dark/empty.jpg").touch()
    done = pipeline(jar, images, tmp_path / "out", "--mode", "dropmalformed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (summary(done)["images"], summary(done)["errors"]) == ("12", "2")
    assert len(read(tmp_path / "out/features")) == 10
