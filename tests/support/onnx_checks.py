# SPDX-License-Identifier: Apache-2.0
"""What the tests of single ONNX operators share: a converted graph in float64 against ONNX Runtime."""

import numpy as np

from pomona.models import container
from pomona.models.onnx_convert import from_onnx
from support import reference
from support.onnx_writer import OnnxNet, onnx_runtime, pixels

SIDES = (13, 10)
NHWC = (0, 2, 3, 1)  # from ONNX's order
AS_IT_IS = (0, 1, 2, 3)


def check(tmp_path, net, output, lies=NHWC):
    """Equal to ONNX Runtime within fp32; `lies` brings its output into our order. Returns the operators."""
    path = net.save(tmp_path / "net.onnx", output)
    rgb = pixels(*SIDES, count=2)
    data = from_onnx(path, "tf", include_top=True).data
    expected = onnx_runtime(path, rgb)
    expected = expected.transpose(lies) if expected.ndim == 4 else expected
    ours = reference.run(data, rgb, "none").reshape(expected.shape)
    scale = np.sqrt(np.mean(expected**2))
    assert scale > 0.05 and expected.std() > 0.05 * scale  # the case could tell a difference
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-6 * max(1, np.abs(expected).max() / scale) * scale)
    return [node["op"] for node in container.read(data)[0]["nodes"]]


def start(opset=17, channels=8, **options):
    """A network whose first layer gives more than three channels."""
    net = OnnxNet(("n", 3, *SIDES), opset, **options)
    return net, net.conv("image", 3, channels, 3)


def last(tmp_path):
    """Attributes of the last node."""
    return container.read(from_onnx(tmp_path / "net.onnx", "tf", include_top=True).data)[0]["nodes"][-1]["attributes"]
