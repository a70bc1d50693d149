# SPDX-License-Identifier: Apache-2.0
"""What the drivers share as programs: options, steps on the console, messages, exit status.

Exit status: 0 done, also when some images were bad (the last line counts them); 2 usage, or an output folder that is
there already; 3 bad input, model or I/O.

The last line counts images and errors; seconds is the whole job once Spark has started, images_per_second the features
step alone: reading, network, parquet.
"""

import argparse
import sys
import time
from contextlib import contextmanager

from pomona import PomonaError

RUN_PARTS = ("features", "pca", "model", "run.json", "report.html")
MODES = ("PERMISSIVE", "DROPMALFORMED", "FAILFAST")
# What Spark counts for opening a file, a quarter of its default: tasks of 128 small images instead of 32.
OPEN_COST = {"spark.sql.files.openCostInBytes": 1 << 20}


class JobError(PomonaError):
    """Ends the job with a message for the user."""

    def __init__(self, message, status=3):
        super().__init__(message)
        self.status = status


def _share(text):
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text}: a share of the variance lies above 0 and is at most 1")
    return value


def make_parser(description, featurizes=True, reduces=True):
    """The options of a driver."""
    parser = argparse.ArgumentParser(description=description, epilog=__doc__.split("\n\n", 1)[1])
    if featurizes:
        parser.add_argument("--images", required=True, metavar="URI", help="folder of JPEGs; labels are folder names")
        parser.add_argument("--model", required=True, metavar="FILE", help="model file, on any Hadoop file system")
        _add_featurizer_options(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run")
    if reduces:
        parser.add_argument("--variance", type=_share, default=0.9, help="share to keep (default 0.9)")
    parser.add_argument("--overwrite", action="store_true", help="replace what a run before left in DIR")
    return parser


def _add_featurizer_options(parser):
    parser.add_argument(
        "--mode", type=str.upper, choices=MODES, default="PERMISSIVE", help="what to do with bad images"
    )
    parser.add_argument("--pooling", choices=("avg", "max"), help="default avg")
    parser.add_argument("--resample", help="nearest, box, bilinear, hamming, bicubic (default) or lanczos")
    parser.add_argument("--fit", choices=("squash", "crop"), help="default squash")
    parser.add_argument("--precision", help="fp32 (default), fp32-split, bf16 or auto")
    parser.add_argument("--corrupt-data", choices=("reject", "accept"), help="default reject")
    parser.add_argument(
        "--fast-decode",
        action="store_true",
        default=None,
        help="decode large images at a part of their size: faster, other features",
    )
    parser.add_argument("--batch-size", type=int, metavar="N", help="images a native call takes at most")
    parser.add_argument("--max-bytes", type=int, metavar="N", help="encoded bytes of an image at most")
    parser.add_argument("--max-pixels", type=int, metavar="N", help="pixels of an image at most")
    parser.add_argument("--max-scans", type=int, metavar="N", help="scans of a progressive image at most")


def featurizer_settings(arguments):
    """The featurizer's Params of a run, by name."""
    return {
        "inputCol": "content",
        "outputCol": "features",
        "errorCol": "error",
        "modelPath": arguments.model,
        "mode": arguments.mode,
        "pooling": arguments.pooling,
        "resample": arguments.resample,
        "fit": arguments.fit,
        "precision": arguments.precision,
        "corruptData": arguments.corrupt_data,
        "fastDecode": arguments.fast_decode,
        "batchSize": arguments.batch_size,
        "maxBytes": arguments.max_bytes,
        "maxPixels": arguments.max_pixels,
        "maxScans": arguments.max_scans,
    }


def claim_output(storage, out, parts, overwrite):
    """Makes sure that the parts can be written: refuses those that are there, or deletes them and nothing else."""
    names = storage.names(out)
    there = [part for part in parts if part in names]
    if names and not set(names) & set(RUN_PARTS):
        raise JobError(f"{out} is there already and is no folder of a run: choose another --out", 2)
    if there and not overwrite:
        raise JobError(f"{out} holds a run already ({', '.join(there)}): choose another --out, or --overwrite it", 2)
    for part in there:
        storage.delete(f"{out}/{part}")


@contextmanager
def step(record, name):
    """Times a step and prints its line; the body sets "count" and "what" of the entry that it is given."""
    entry = {"step": name}
    begin = time.monotonic()
    yield entry
    entry["seconds"] = round(time.monotonic() - begin, 3)
    record["timings"].append(entry)
    counted = f"{entry['count']:>9,} {entry['what']}" if "count" in entry else ""
    print(f"  {name:<12}{counted:<28}{entry['seconds']:>9.1f} s", flush=True)


def _reason(error):
    """The message of the innermost cause of a failed Spark action, in one line where it is one."""
    cause = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if cause is None:
        return str(error)
    while cause.getCause() is not None:
        cause = cause.getCause()
    return str(cause.getMessage() or cause.toString()).split("\n\tat ")[0].split("\nDriver stacktrace")[0]


def run(job, name, arguments):
    """Runs job(spark, arguments) and returns the exit status."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName(name).getOrCreate()
    for setting, value in OPEN_COST.items():
        if not spark.sparkContext.getConf().contains(setting):
            spark.conf.set(setting, value)
    try:
        job(spark, arguments)
        return 0
    except PomonaError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return getattr(error, "status", 3)
    except (Py4JJavaError, PySparkException) as error:
        print(f"{name}: {_reason(error)}", file=sys.stderr)
        return 3
    finally:
        spark.stop()
