# SPDX-License-Identifier: Apache-2.0
"""One side of tests/bench/network.py, in a process of its own: images a second of a network alone on one thread, one
number for each line read.

    network_side.py ours|openvino|onnxruntime MODEL BATCH fp32|bf16"""

import sys
from pathlib import Path
from time import perf_counter
from typing import Callable

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import turns

SECONDS = 1.0  # of one measurement
Run = Callable[[], object]


def ours(model: str, batch: int, precision: str) -> Run:
    from support.session import Session

    session = Session(Path(model), batch, precision)
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *session.shape), dtype=np.uint8)
    return lambda: session.run(pixels)


def openvino(model: str, batch: int, precision: str) -> Run:
    import openvino as ov
    import openvino.properties as properties
    import openvino.properties.hint as hint

    core = ov.Core()
    network = core.read_model(model)
    shape = [batch, *(side.get_length() for side in list(network.inputs[0].partial_shape)[1:])]
    network.reshape({network.inputs[0]: shape})
    settings = {properties.inference_num_threads(): 1, properties.num_streams(): 1}
    settings[hint.inference_precision()] = {"fp32": ov.Type.f32, "bf16": ov.Type.bf16}[precision]
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    values = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    return lambda: request.infer({0: values}, share_inputs=True, share_outputs=True)


def onnxruntime(model: str, batch: int, precision: str) -> Run:
    """In fp32: it has no other on CPUs."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    values = np.random.default_rng(0).uniform(-1, 1, (batch, *entry.shape[1:])).astype(np.float32)
    return lambda: session.run(None, {entry.name: values})


def images_a_second(run: Run, batch: int) -> float:
    """Of the median call."""
    times, begin = [], perf_counter()
    while len(times) < 3 or perf_counter() - begin < SECONDS:
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return batch / sorted(times)[len(times) // 2]


def main() -> None:
    side, model, batch, precision = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    run = {"ours": ours, "openvino": openvino, "onnxruntime": onnxruntime}[side](model, batch, precision)
    run()
    turns.serve(lambda: images_a_second(run, batch))


if __name__ == "__main__":
    main()
