# SPDX-License-Identifier: Apache-2.0
"""Images to feature vectors: binaryFile -> path, label, features, error -> parquet."""

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


def write_features(images, settings, uri):
    """Runs the featurizer over the images and writes path, label, features (array<float>) and error."""
    featurizer = make_featurizer(settings, outputType="array", dropInput=True)
    featurizer.transform(images).select("path", "label", "features", "error").write.parquet(uri)


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
