# SPDX-License-Identifier: Apache-2.0
"""DIR/run.json: facts of a run, enough to draw the report again without Spark."""

import base64
import io
import json
import platform
from datetime import datetime, timezone

from pyspark.sql import Window
from pyspark.sql import functions as F

import pomona

SCATTER_POINTS = 3000  # about what a picture of 700 pixels can show
SAMPLES_PER_LABEL = 4
SAMPLES = 24 * SAMPLES_PER_LABEL
THUMBNAIL_PIXELS = 100
PLAIN_SAMPLE_BYTES = 64 << 10  # without Pillow an image goes into the report as it is, if no larger


def facts(spark, options):
    """What is known before the first step."""
    context = spark.sparkContext
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "options": options,
        "versions": {
            "pomona": pomona.__version__,
            "spark": spark.version,
            "java": context._jvm.java.lang.System.getProperty("java.version"),
            "python": platform.python_version(),
        },
        "machine": {"master": context.master, "parallelism": context.defaultParallelism},
        "timings": [],
    }


def model_facts(storage, uri):
    """Name and checksum of a model file."""
    header = storage.read(uri, 8 + int.from_bytes(storage.read(uri, 8), "little"))
    graph = json.loads(json.loads(header[8:])["__metadata__"]["pomona"])
    return {"path": uri, "name": graph.get("name", ""), "sha256": storage.sha256(uri)}


def scatter(components, rows):
    """First two components of at most SCATTER_POINTS rows: {"labels", "points": [[x, y, label's number]]}."""
    second = F.expr("if(size(pca) > 1, pca[1], 0D)").alias("y")
    chosen = components.select("label", F.col("pca")[0].alias("x"), second)
    if rows > SCATTER_POINTS:
        chosen = chosen.sample(fraction=SCATTER_POINTS / rows, seed=1)
    points = chosen.collect()
    labels = sorted({row["label"] for row in points})
    number = {label: i for i, label in enumerate(labels)}
    return {"labels": labels, "points": [[round(r["x"], 4), round(r["y"], 4), number[r["label"]]] for r in points]}


def _thumbnail(content):
    """A small JPEG of an image, the image itself where there is no Pillow and it is small, else None."""
    try:
        from PIL import Image
    except ImportError:
        return content if len(content) <= PLAIN_SAMPLE_BYTES else None
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    image = image.convert("RGB")
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def samples(storage, features):
    """Some images of each label as thumbnails: [{"label", "path", "data" (base64)}]."""
    by_chance = Window.partitionBy("label").orderBy(F.xxhash64("path"))
    good = features.where("features is not null").select("label", "path", F.row_number().over(by_chance).alias("nth"))
    found = []
    for row in good.where(F.col("nth") <= SAMPLES_PER_LABEL).orderBy("label", "nth").limit(SAMPLES).collect():
        small = _thumbnail(storage.read(row["path"]))
        if small:
            found.append({"label": row["label"], "path": row["path"], "data": base64.b64encode(small).decode("ascii")})
    return found
