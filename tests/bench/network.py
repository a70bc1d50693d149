# SPDX-License-Identifier: Apache-2.0
"""Networks alone, images a second of one thread on one pinned core: ours against OpenVINO and ONNX Runtime, in turn,
each side at its best batch of 1, 4 and 8.

    python tests/bench/export_models.py build/bench                      (TensorFlow, tf2onnx: once)
    python tests/bench/network.py build/bench --peers PYTHON --markdown network.md

PYTHON is an interpreter that has openvino and onnxruntime. --cpu avx2 holds our kernels, and oneDNN's in OpenVINO, to
AVX2. --precision bf16 leaves ONNX Runtime out, which has none."""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Dict, List, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import turns

SIDE = Path(__file__).with_name("network_side.py")
SUFFIX = {"ours": "safetensors", "openvino": "onnx", "onnxruntime": "onnx"}
PRECISIONS = {"fp32": tuple(SUFFIX), "bf16": ("ours", "openvino")}
LEVELS = {"avx2": {"POMONA_CPU": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}, "best": {}}


def start(options: argparse.Namespace, side: str, network: str, batch: int) -> turns.Worker:
    interpreter = sys.executable if side == "ours" else options.peers
    model = options.models / f"{network}.{SUFFIX[side]}"
    return turns.Worker(
        [interpreter, SIDE, side, model, batch, options.precision], {"OMP_NUM_THREADS": "1", **LEVELS[options.cpu]}
    )


def best_batch(options: argparse.Namespace, side: str, network: str) -> Tuple[int, turns.Worker]:
    """The batch with the best median of three measurements, and its worker, ready."""
    found: List[Tuple[float, int, turns.Worker]] = []
    for batch in options.batches:
        worker = start(options, side, network, batch)
        found.append((statistics.median(worker() for _ in range(3)), batch, worker))
    found.sort(key=lambda one: one[0])
    for _, _, worker in found[:-1]:
        worker.close()
    return found[-1][1:]


def measure(options: argparse.Namespace, network: str, batches: Dict[str, List[str]]) -> turns.Row:
    """A peer that cannot run the network has no samples."""
    sides = {}
    for side in batches:
        try:
            sides[side] = best_batch(options, side, network)
        except RuntimeError as error:
            if side == "ours":
                raise
            print(f"{network}: {error}", file=sys.stderr)
    for side, (batch, _) in sides.items():
        batches[side].append(f"{network} {batch}")
    row = turns.take_turns(network, {side: worker for side, (_, worker) in sides.items()}, options.rounds)
    for _, worker in sides.values():
        worker.close()
    return row


def main() -> None:
    parser = turns.arguments(__doc__.splitlines()[0], rounds=7)
    parser.add_argument("models", type=Path, help="folder of NAME.safetensors and NAME.onnx")
    parser.add_argument("--networks", type=lambda text: text.split(","), help="NAME,...; default: all in the folder")
    parser.add_argument("--peers", default=sys.executable, help="interpreter with openvino and onnxruntime")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4, 8])
    parser.add_argument("--cpu", choices=LEVELS, default="best")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    options = parser.parse_args()
    networks = options.networks or sorted(path.stem for path in options.models.glob("*.onnx"))
    report = turns.Report(f"Networks alone, {options.precision}", "ours", "images/s", lower_is_better=False)
    batches: Dict[str, List[str]] = {side: [] for side in SUFFIX if side in PRECISIONS[options.precision]}
    with turns.pinned(options.core):
        for network in networks:
            report.rows.append(measure(options, network, batches))
            print(f"{network} done", file=sys.stderr)
        report.about = {f"batch of {side}": ", ".join(chosen) for side, chosen in batches.items()}
        turns.publish(report, options)


if __name__ == "__main__":
    main()
