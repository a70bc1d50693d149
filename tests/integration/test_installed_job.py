# SPDX-License-Identifier: Apache-2.0
"""A job that takes everything from the installed folder, with the settings of emr-bootstrap/configurations.json."""

import json
import secrets
import subprocess

import pytest

from support import spark
from support.material import TOP

CONFIGURATIONS = TOP / "emr-bootstrap/configurations.json"
CLUSTER = "local-cluster[1,2,1024]"

# Says where the library came from by its loader's word and by the operating system's, in each JVM.
PROBE = """
def maps = scala.io.Source.fromFile("/proc/self/maps").getLines.filter(_.contains("pomona_jni"))
def report = pomona.NativeLoader.source() +: maps.map(_.split(" +").last).toSet.toSeq
println("driver " + report.mkString(" "))
sc.parallelize(1 to 2, 2).map(_ => report.mkString(" ")).collect().foreach(line => println("executor " + line))
"""


@pytest.fixture(scope="module")
def prefix(stage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("opt") / "pomona"
    command = [stage.folder / "install.sh", "--from", stage.folder, "--expect", stage.sha256, "--prefix", folder]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def settings(prefix):
    """The cluster's settings for this prefix, and the secret that YARN would make by itself."""
    text = CONFIGURATIONS.read_text().replace("/opt/pomona", str(prefix))
    [spark_defaults] = json.loads(text)
    return {**spark_defaults["Properties"], "spark.authenticate.secret": secrets.token_hex(16)}


def test_pipeline_gives_the_command_lines_bits(prefix, settings, pictures, tmp_path):
    job = ["--py-files", prefix / "python/pomona.zip", prefix / "jobs/pipeline.py", "--images", pictures.folder]
    job += ["--model", prefix / "models/tiny_test_net.safetensors", "--out", tmp_path / "run"]
    done = spark.launch("spark-submit", *job, master=CLUSTER, conf=settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("images=11 errors=1 ")
    assert spark.same_bits(spark.read_features(tmp_path / "run/features"), pictures.expected)
    assert (tmp_path / "run/report.html").stat().st_size > 1000


def test_library_comes_from_the_prefix_in_every_process(prefix, settings, tmp_path):
    probe = tmp_path / "probe.scala"
    probe.write_text(PROBE)
    done = spark.launch("spark-shell", "-i", probe, master=CLUSTER, conf=settings)
    library = prefix.resolve() / "lib/libpomona_jni.so"
    found = [line.split() for line in done.stdout.splitlines() if line.startswith(("driver ", "executor "))]
    assert [words[0] for words in found] == ["driver", "executor", "executor"], done.stdout + done.stderr
    for _, source, *mapped in found:
        assert source == str(prefix / "lib/libpomona_jni.so")
        assert mapped == [str(library)]
