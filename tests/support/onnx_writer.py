# SPDX-License-Identifier: Apache-2.0
"""Writes ONNX networks for tests, with weights that keep their features apart, and runs them with ONNX Runtime."""

from pathlib import Path
from typing import Any, List, Optional, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from pomona.models.preprocess import PREPROCESS
from support import reference


class OnnxNet:
    """A graph in the making: every method adds a node and returns the name of its output."""

    def __init__(self, shape: Sequence[Any] = ("n", 3, 8, 8), opset: int = 17, seed: int = 0):
        self.opset, self.shape = opset, shape
        self.random = np.random.RandomState(seed)
        self.nodes: List[Any] = []
        self.initializers: List[Any] = []
        self.x = "image"

    def node(self, op: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> str:
        """Arrays among the inputs become initializers."""
        names = [name if isinstance(name, str) else self.constant(name) for name in inputs]
        name = f"{op}_{len(self.nodes)}"
        results = [f"{name}_out{index or ''}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, names, results, name=name, **attributes))
        return results[0]

    def constant(self, array: Any) -> str:
        array = np.asarray(array)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"w{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def draw(self, *shape: int, low: float = 0.5, high: float = 1.5) -> np.ndarray:
        """Positive numbers of order one: scales, deviations."""
        return self.random.uniform(low, high, shape)

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return scale * self.random.standard_normal(shape)

    def conv(self, x: str, inside: int, out: int, size: int = 3, *, bias: bool = True, **attributes: Any) -> str:
        """`inside` counts the input's channels; the pads keep the size at stride 1 unless they are given."""
        groups = attributes.get("group", 1)
        attributes.setdefault("pads", [size // 2] * 4)
        fan = inside // groups * size * size
        weights = [self.normal(out, inside // groups, size, size, scale=(2 / fan) ** 0.5)]
        return self.node("Conv", x, *weights, *([self.normal(out, scale=0.3)] if bias else []), **attributes)

    def batch_norm(self, x: str, channels: int, epsilon: float = 1e-3) -> str:
        parts = [self.draw(channels), self.normal(channels, scale=0.3)] * 2
        parts[2:] = [self.normal(channels, scale=0.3), self.draw(channels)]
        return self.node("BatchNormalization", x, *parts, epsilon=epsilon)

    def dense(self, x: str, inside: int, out: int) -> str:
        weights = self.normal(out, inside, scale=inside**-0.5), self.normal(out)
        return self.node("Gemm", x, *weights, transB=1)

    def model(self, *outputs: str) -> Any:
        value = helper.make_tensor_value_info("image", TensorProto.FLOAT, self.shape)
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", [value], results, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def save(self, path: Path, *outputs: str) -> Path:
        onnx.save(self.model(*outputs), str(path))
        return path


def pixels(height: int, width: int, count: int = 1) -> np.ndarray:
    """Noise of a colour and a contrast of its own in each image, so that pooled features differ too."""
    random = np.random.RandomState(7)
    noise = random.uniform(-1, 1, (count, height, width, 3)) * random.uniform(20, 100, (count, 1, 1, 3))
    return np.clip(noise + random.uniform(0, 255, (count, 1, 1, 3)), 0, 255).astype(np.uint8)


def onnx_runtime(path: Path, rgb: np.ndarray, mode: str = "tf", tensor: Optional[str] = None) -> np.ndarray:
    """What ONNX Runtime makes of the pixels; of an inner tensor if one is named."""
    model = onnx.load(str(path))
    read = {name for node in model.graph.node for name in node.input}
    for value in [value for value in model.graph.input if value.name not in read]:
        model.graph.input.remove(value)  # tf2onnx leaves some that nothing reads
    if tensor:
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Its optimizer moves a Pad of zeros into the MaxPool behind it, where padding is minus infinity [1.31.1].
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    (image,) = session.get_inputs()
    x = reference.preprocess(PREPROCESS[mode], rgb).astype(np.float32)
    x = x if image.shape[-1] == 3 else x.transpose(0, 3, 1, 2)
    return np.concatenate([session.run(None, {image.name: each[None]})[0] for each in x])
