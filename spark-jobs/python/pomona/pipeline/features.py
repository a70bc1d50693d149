# SPDX-License-Identifier: Apache-2.0
"""Images to feature vectors: binaryFile -> path, label, features, error -> parquet."""

import re
from urllib.parse import unquote

from pyspark.sql import functions as F

from pomona.pipeline.command import JobError

# Hadoop's glob; the extension in any case. Files with other names are no images; a file with this name that is not a
# JPEG is an error row.
JPEG_GLOB = "*.[jJ][pP]{[gG],[eE][gG]}"


def read_images(spark, uri):
    """One row an image: path, label (its parent folder), content. JobError when there is none."""
    files = (
        spark.read.format("binaryFile")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", JPEG_GLOB)
        .load(uri)
    )
    return files.select("path", F.element_at(F.split("path", "/"), -2).alias("label"), "content")


def count_images(images, uri):
    """How many files the listing found, without opening one."""
    count = len(images._jdf.inputFiles())
    if not count:
        raise JobError(f"no images found under {uri}: files named *.jpg or *.jpeg are taken, in folders of any depth")
    return count


def make_featurizer(settings, **overrides):
    """The ImageFeaturizer of a run. `settings`: its Params by name, those that are None left at their defaults."""
    from pomona.spark import ImageFeaturizer

    chosen = {name: value for name, value in {**settings, **overrides}.items() if value is not None}
    return ImageFeaturizer(**chosen)


def write_features(images, settings, uri, count):
    """Writes path, label, features (array<float>) and error of every image; `count` files were found.

    Spark's file sources skip empty files without a word; their rows follow in a write of their own.
    """
    featurizer = make_featurizer(settings, outputType="array", dropInput=True)
    _write(featurizer, images, uri)
    written = images.sparkSession.read.parquet(uri)
    if settings.get("mode") != "DROPMALFORMED" and written.count() < count:
        _write(featurizer, _empty_images(images, written), uri)


def _write(featurizer, images, uri):
    featurizer.transform(images).select("path", "label", "features", "error").write.mode("append").parquet(uri)


def _spelled(path):
    """A path with one spelling of an empty authority: file:/a for file:///a."""
    return re.sub(r"^(\w+):///", r"\1:/", path)


def _empty_images(images, written):
    """Rows of read_images for the files that the listing has and the rows have not."""
    known = {_spelled(row["path"]) for row in written.select("path").collect()}
    listed = (_spelled(unquote(uri)) for uri in images.inputFiles())  # URIs, while the rows have paths
    rows = [(path, path.split("/")[-2], bytearray()) for path in listed if path not in known]
    return images.sparkSession.createDataFrame(rows, "path string, label string, content binary")


def count_outcomes(features, images):
    """{"images", "errors", "errors_by_reason", "error_examples", "labels"} of written features."""
    bad = features.where(F.col("error").isNotNull())
    code = F.trim(F.substring_index("error", ":", 1)).alias("code")
    reasons = {row["code"]: row["count"] for row in bad.groupBy(code).count().orderBy("code").collect()}
    good = features.where(F.col("features").isNotNull())
    labels = {row["label"]: row["count"] for row in good.groupBy("label").count().orderBy("label").collect()}
    dropped = images - sum(reasons.values()) - sum(labels.values())
    if dropped:
        reasons["DROPPED"] = dropped  # mode DROPMALFORMED keeps no row that could tell why
    examples = bad.select("path", "error").orderBy("path").limit(20).collect() if reasons else []
    return {
        "images": images,
        "errors": sum(reasons.values()),
        "errors_by_reason": reasons,
        "error_examples": [row.asDict() for row in examples],
        "labels": labels,
    }
