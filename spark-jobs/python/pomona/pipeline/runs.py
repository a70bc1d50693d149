# SPDX-License-Identifier: Apache-2.0
"""The two halves of a run: images to features, features to components and report."""

import json

from pomona.pipeline import features, record, reduction
from pomona.pipeline.command import JobError, claim_output, featurizer_settings, step
from pomona.pipeline.storage import Storage
from pomona.report import render

FEATURE_PARTS = ("features", "pca", "model", "run.json", "report.html")  # new features make the rest stale
REDUCTION_PARTS = ("pca", "model", "report.html")


def _save_record(storage, out, facts):
    storage.write(f"{out}/run.json", json.dumps(facts, indent=1))


def featurize(spark, arguments):
    """Writes DIR/features and DIR/run.json; returns the record."""
    storage = Storage(spark)
    if not storage.exists(arguments.model):
        raise JobError(f"no model file {arguments.model}: python -m pomona models fetch NAME --out FILE makes one")
    if not storage.matches(arguments.images):
        raise JobError(f"no images found: there is no {arguments.images}")
    claim_output(storage, arguments.out, FEATURE_PARTS, arguments.overwrite)
    settings = featurizer_settings(arguments)
    facts = record.facts(spark, {"images": arguments.images, "out": arguments.out, "featurizer": settings})
    facts["model"] = record.model_facts(storage, arguments.model)
    with step(facts, "list") as entry:
        images = features.read_images(spark, arguments.images)
        entry.update(count=features.count_images(images, arguments.images), what="images")
    count = entry["count"]
    with step(facts, "features") as entry:
        features.write_features(images, settings, f"{arguments.out}/features", count)
        entry.update(count=count, what="images")
    facts.update(features.count_outcomes(spark.read.parquet(f"{arguments.out}/features"), count))
    facts["images_per_second"] = round(count / max(entry["seconds"], 1e-3), 1)
    _save_record(storage, arguments.out, facts)
    return facts


def load_record(spark, out):
    """The record of DIR, as featurize left it."""
    storage = Storage(spark)
    if not (storage.exists(f"{out}/run.json") and storage.exists(f"{out}/features")):
        raise JobError(f"{out} holds no features: run featurize.py --out {out} first")
    facts = json.loads(storage.read(f"{out}/run.json"))
    facts["timings"] = [entry for entry in facts["timings"] if entry["step"] in ("list", "features")]
    return facts


def reduce(spark, arguments, facts):
    """Writes DIR/pca, DIR/model and DIR/report.html, and completes the record."""
    storage, out = Storage(spark), arguments.out
    claim_output(storage, out, REDUCTION_PARTS, arguments.overwrite)
    _refuse_all_bad(facts, out)
    rows = spark.read.parquet(f"{out}/features")
    with step(facts, "fit") as entry:
        fitted = reduction.fit_reduction(rows, facts["images"] - facts["errors"], arguments.variance)
        entry.update(count=fitted.k, what="components")
    with step(facts, "pca") as entry:
        reduction.write_components(rows, fitted, f"{out}/pca")
        entry.update(count=fitted.rows, what="rows")
    with step(facts, "model"):
        reduction.write_model(facts["options"]["featurizer"], fitted, f"{out}/model")
    facts["reduction"] = {
        "target": arguments.variance,
        "k": fitted.k,
        "variance": fitted.variance,
        "rows": fitted.rows,
        "columns": fitted.columns,
        "explained": fitted.explained,
    }
    with step(facts, "report"):
        facts["scatter"] = record.scatter(spark.read.parquet(f"{out}/pca"), fitted.rows)
        facts["samples"] = record.samples(storage, rows)
    _save_record(storage, out, facts)
    storage.write(f"{out}/report.html", render(facts))
    return facts


def _refuse_all_bad(facts, out):
    if facts["images"] == facts["errors"]:
        reasons = ", ".join(f"{count} {code}" for code, count in facts["errors_by_reason"].items())
        raise JobError(
            f"none of the {facts['images']} images gave features ({reasons}): see column error in {out}/features"
        )


def summary(facts, seconds, out):
    """The job's last line."""
    found = facts["reduction"]
    return (
        f"images={facts['images']} errors={facts['errors']} seconds={seconds:.1f}"
        f" images_per_second={facts['images_per_second']:.1f} k={found['k']} variance={found['variance']:.4f} out={out}"
    )
