# SPDX-License-Identifier: Apache-2.0
"""A job that is cancelled without interrupting its threads stops soon, gives everything back, and the next one runs."""

import threading
import time

import pytest

from pomona.spark import ImageFeaturizer, diagnostics
from support.material import built_model


def handles(spark) -> int:
    facts = diagnostics(spark, tasks=1)[0]
    return int(facts["handles"]) - int(facts["models"])  # sessions on loan


def test_a_cancelled_job_stops_within_two_seconds(spark, read, images):
    model = str(built_model("MobileNetV2"))
    stage = ImageFeaturizer(modelPath=model)
    many = read(*images).crossJoin(spark.range(2000)).drop("id")
    failure = []

    def work():
        spark.sparkContext.setJobGroup("cancelled", "a long job", interruptOnCancel=False)
        try:
            stage.transform(many).select("features").write.format("noop").mode("overwrite").save()
        except Exception as error:  # the job's own end: what the test waits for
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    tracker = spark.sparkContext.statusTracker()
    facts = spark._jvm.pomona.spark.Diagnostics
    wait(lambda: int(facts.snapshot()["handles"]) > int(facts.snapshot()["models"]), 60)
    assert not failure, failure
    spark.sparkContext.cancelJobGroup("cancelled")
    begin = time.monotonic()
    wait(lambda: int(facts.snapshot()["handles"]) == int(facts.snapshot()["models"]), 10)
    assert time.monotonic() - begin < 2
    thread.join(30)
    assert failure and not tracker.getActiveJobsIds()
    assert handles(spark) == 0
    assert stage.transform(read(*images)).where("features IS NOT NULL").count() == len(images)


def wait(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"nothing came within {seconds} s")
        time.sleep(0.05)
