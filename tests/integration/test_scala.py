# SPDX-License-Identifier: Apache-2.0
"""Featurize.scala in spark-shell gives the bits of the command line, and its exit status tells how it went."""

from support import spark
from support.built import TINY, TOP

SCRIPT = TOP / "spark-jobs/jobs/Featurize.scala"


def featurize(jar, images, out, **settings):
    conf = {"spark.pomona.images": images, "spark.pomona.model": TINY, "spark.pomona.out": out}
    conf.update({f"spark.pomona.{name}": value for name, value in settings.items()})
    return spark.launch("spark-shell", "--jars", jar, "-i", SCRIPT, conf=conf)


def test_equals_the_command_line(jar, pictures, tmp_path):
    done = featurize(jar, pictures.folder, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "images=11 errors=1" in done.stdout
    assert spark.same_bits(spark.read_features(tmp_path / "out/features"), pictures.expected)


def test_failfast_ends_with_the_reason(jar, pictures, tmp_path):
    done = featurize(jar, pictures.folder, tmp_path / "out", mode="FAILFAST")
    assert done.returncode == 3
    assert "broken.jpg" in done.stderr.strip().splitlines()[-1]
