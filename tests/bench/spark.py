# SPDX-License-Identifier: Apache-2.0
"""The Spark job, JPEG files to parquet with vectors on local[2]: ours against a pandas UDF with Keras
(`peers/spark_seed.py` of the test material), an iterator pandas UDF with ONNX Runtime (`peers/spark_ort.py`), and
SynapseML's ImageFeaturizer. Each turn is a Spark application of its own, of which the second pass counts.

    python tests/bench/export_models.py build/bench MobileNetV2                       (TensorFlow, tf2onnx: once)
    python tests/bench/spark.py --models build/bench --peers PYTHON --markdown spark.md --json spark.json

PYTHON is an interpreter that has tensorflow, onnxruntime, pillow and the same pyspark. The images are fruits360 of the
test material, ten times over under other names. Hours, nearly all of it the peers'; --against and --copies make it
shorter. SynapseML takes part with

    mvn -f tests/bench/synapseml.xml dependency:copy-dependencies -DoutputDirectory=$PWD/build/bench/synapseml
    ... --synapseml build/bench/synapseml                             (PYTHON needs onnx too)

on one copy of the images, whatever --copies says: its rate is what is compared."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
import pyarrow.parquet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spark-jobs/python"))

import turns

from support.built import jar_path
from support.material import SHARED

SIDE = Path(__file__).with_name("spark_side.py")
CORES = "2"
# Runs a script twice in one interpreter: the second time, getOrCreate gives it the same Spark application.
TWICE = (
    "import runpy, sys; sys.argv = sys.argv[1:]; [runpy.run_path(sys.argv[0], run_name='__main__') for _ in range(2)]"
)
RATE = re.compile(r"-> ([\d.]+) img/s")


def copy_images(source: Path, folder: Path, times: int) -> Path:
    """Every photograph `times` times under other names, in folders named as its own: labels."""
    for path in sorted(source.rglob("*.jpg")):
        to = folder / path.relative_to(source).parent
        to.mkdir(parents=True, exist_ok=True)
        for number in range(times):
            shutil.copyfile(path, to / f"{number}_{path.name}")
    return folder


def second_rate(side: str, command: Sequence[object], python: str) -> float:
    """The second rate that the command prints; it is ended then, whatever else it would do."""
    environment = {**os.environ, "PYSPARK_PYTHON": python, "SPARK_LOCAL_IP": "127.0.0.1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    for name in ("SPARK_HOME", "PYTHONPATH"):
        environment.pop(name, None)
    words, lines, rates = [python, *map(str, command)], [], []
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    ) as process:
        for line in process.stdout:
            lines.append(line)
            rates += [float(rate) for rate in RATE.findall(line)]
            if len(rates) == 2:
                os.killpg(process.pid, signal.SIGTERM)
                break
        process.communicate()
    if len(rates) < 2:
        raise RuntimeError(f"{side} ended without a second rate:\n{''.join(lines[-20:])}")
    print(f"{side}: {rates[0]:.1f}, then {rates[1]:.1f} images/s", file=sys.stderr)
    return rates[1]


def commands(options: argparse.Namespace, scratch: Path) -> Dict[str, List[object]]:
    """By side: what the interpreter runs."""
    images = copy_images(options.images, scratch / "images", options.copies)
    model, onnx = (options.models / f"{options.network}.{suffix}" for suffix in ("safetensors", "onnx"))
    peers = options.material / "peers"
    found = {
        "ours": [SIDE, "ours", images, scratch / "ours", model, jar_path(), options.precision],
        "spark_ort.py": ["-c", TWICE, peers / "spark_ort.py", images, CORES, scratch / "spark_ort.py", onnx],
        "spark_seed.py": ["-c", TWICE, peers / "spark_seed.py", images, CORES, scratch / "spark_seed.py"],
    }
    if options.synapseml:
        one = copy_images(options.images, scratch / "images-once", 1)
        found["SynapseML"] = [SIDE, "synapseml", one, scratch / "SynapseML", onnx, options.synapseml]
    wanted = ["ours", *(options.against or found)]
    return {side: words for side, words in found.items() if side in wanted}


def vectors(folder: Path) -> Dict[str, np.ndarray]:
    table = pyarrow.parquet.read_table(str(folder), columns=["path", "features"])
    return dict(zip(table["path"].to_pylist(), (np.array(row) for row in table["features"].to_pylist())))


def agreement(scratch: Path) -> str:
    """That both sides computed the same; the exported models have the same weights."""
    one, two = vectors(scratch / "ours"), vectors(scratch / "spark_ort.py")
    if one.keys() != two.keys():
        raise RuntimeError(f"ours wrote {len(one)} rows, spark_ort.py {len(two)}")
    worst = max(np.abs(one[path] - two[path]).max() / np.sqrt(np.mean(two[path] ** 2)) for path in two)
    return f"{len(one)} rows; vectors of ours and spark_ort.py differ by {worst:.1e} of their rms at most"


def measure(options: argparse.Namespace, scratch: Path) -> turns.Report:
    chosen = commands(options, scratch)
    python = {side: sys.executable if side == "ours" else options.peers for side in chosen}
    sides = {side: partial(second_rate, side, words, python[side]) for side, words in chosen.items()}
    report = turns.Report("Spark job, featurize and write, local[2]", "ours", "images/s", lower_is_better=False)
    name = f"{options.network}, {options.precision}, {options.copies} x {options.images.name}"
    report.rows.append(turns.take_turns(name, sides, options.rounds, warm_up=False))  # its first pass warms a side up
    if {"ours", "spark_ort.py"} <= set(chosen):
        report.about["agreement"] = agreement(scratch)
    if "SynapseML" in chosen:
        report.about["SynapseML"] = "1.1.0 with its ONNX Runtime 1.8.1, on one copy of the images"
    return report


def parse() -> argparse.Namespace:
    parser = turns.arguments(__doc__.splitlines()[0], rounds=3)
    parser.add_argument("--models", type=Path, required=True, help="folder of NAME.safetensors and NAME.onnx")
    parser.add_argument("--network", default="MobileNetV2", help="spark_seed.py always takes MobileNetV2")
    parser.add_argument("--precision", default="fp32", help="ours alone")
    parser.add_argument("--peers", default=sys.executable, help="interpreter of the other sides")
    parser.add_argument("--synapseml", type=Path, metavar="DIR", help="its jars")
    parser.add_argument("--against", type=lambda text: text.split(","), help="sides, NAME,...; default: all")
    parser.add_argument("--material", type=Path, default=SHARED, help="folder with peers/ and data/fruits360")
    parser.add_argument("--images", type=Path, help="folder of photographs; default: fruits360 of the material")
    parser.add_argument("--copies", type=int, default=10)
    options = parser.parse_args()
    options.images = options.images or options.material / "data/fruits360"
    return options


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as scratch:
        turns.publish(measure(options, Path(scratch)), options)


if __name__ == "__main__":
    main()
