# SPDX-License-Identifier: Apache-2.0
"""The graph builder: what it accepts and refuses, and that code and docs/model-format.md say the same."""

import re

import numpy as np
import pytest

from pomona.models import ModelError, container
from pomona.models.graph import ACTIVATIONS, OPERATORS, GraphBuilder
from pomona.models.preprocess import OWN, PREPROCESS
from support import reference, tiny_net
from support.material import TOP

FORMAT = (TOP / "docs/model-format.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list:
    """Cells of the first table below a heading of the format's document."""
    table = re.search(r"\|.*?(?:\n\n|\Z)", FORMAT[FORMAT.index(heading) :], re.DOTALL).group(0)
    return [[cell.strip() for cell in line.strip("| \n").split(" | ")] for line in table.strip().splitlines()[2:]]


def test_preprocess_is_the_documents_table():
    documented = {}
    for mode, channels, *arrays in _rows("### Preprocessing"):
        if mode == f"`{OWN}`":  # any numbers
            continue
        numbers = [[float(number) for number in cell.split(",")] for cell in arrays]
        numbers = [row * 3 if len(row) == 1 else row for row in numbers]
        documented[mode.strip("`")] = (channels, *numbers)
    ours = {
        mode: tuple(row[key] for key in ("channels", "divide", "subtract", "std")) for mode, row in PREPROCESS.items()
    }
    assert ours == documented


def test_every_operator_is_documented_and_has_a_reference():
    documented = {name for row in _rows("### Nodes") for name in re.findall(r"`(\w+)`", row[0])}
    assert set(OPERATORS) == set(reference.OPERATORS) == documented


def test_every_kind_of_activation_is_documented_and_has_a_reference():
    (row,) = (row[-1] for row in _rows("### Nodes") if row[0] == "`activation`")
    documented = {}
    for kind, attributes in re.findall(r"`(\w+)`(?: \(([^)]*)\))?", row.replace("`kind`: ", "")):
        documented[kind] = set(re.findall(r"`(\w+)`", attributes))
    assert {kind: rule.required | rule.optional for kind, rule in ACTIVATIONS.items()} == documented
    assert set(ACTIVATIONS) == set(reference.KINDS)


def _builder() -> GraphBuilder:
    return GraphBuilder("net", 8, "none")


def test_builder_writes_what_it_was_given():
    graph = _builder()
    x = graph.node("conv2d", "c", "input", {"kernel": np.ones((1, 1, 3, 2))}, strides=[2, 2], padding="same")
    x = graph.node("activation", "r", x, kind="relu")
    written, tensors = container.read(graph.finish(x, {"source": "here"}))
    assert written["version"] == 1
    assert written["input"] == {"name": "input", "height": 8, "width": 8, "channels": 3}
    assert written["preprocess"] == PREPROCESS["none"]
    assert written["outputs"] == {"features": "r"}
    assert written["provenance"] == {"source": "here"}
    assert written["nodes"] == [
        {
            "name": "c",
            "op": "conv2d",
            "inputs": ["input"],
            "weights": {"kernel": "c/kernel"},
            "attributes": {"strides": [2, 2], "padding": "same"},
        },
        {"name": "r", "op": "activation", "inputs": ["c"], "attributes": {"kind": "relu"}},
    ]
    assert tensors["c/kernel"].shape == (1, 1, 3, 2)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (("activation", "", "input"), "name of its own"),
        (("activation", "input", "input"), "name of its own"),
        (("activation", "x", "later"), "no earlier node"),
        (("blur", "x", "input"), "unknown operator"),
        (("add", "x", "input"), r"takes 2 input\(s\), not 1"),
        (("concat", "x", "input"), "takes at least 2 inputs, not 1"),
        (("activation", "x", "input"), r"missing \['kind'\]"),
        (("conv2d", "x", "input"), r"missing \['kernel'\]"),
        (("conv2d", "x", "input", {"kernel": np.ones((3, 3))}), "not 4 dimensions"),
        (("conv2d", "x", "input", {"kernel": np.ones((1, 1, 3, 1)), "scale": np.ones(1)}), r"unknown \['scale'\]"),
    ],
)
def test_builder_refuses(node, words):
    with pytest.raises(ModelError, match=words):
        _builder().node(*node)


def test_builder_refuses_names_given_twice_and_unknown_outputs():
    graph = _builder()
    graph.node("activation", "x", "input", kind="relu")
    with pytest.raises(ModelError, match="taken"):
        graph.node("activation", "x", "input", kind="relu")
    with pytest.raises(ModelError, match="unknown \\['speed'\\]"):
        graph.node("activation", "y", "x", kind="relu", speed=2)
    with pytest.raises(ModelError, match="no node"):
        graph.finish("y", {})
    with pytest.raises(ModelError, match="preprocessing"):
        GraphBuilder("net", 8, "vgg")


def test_what_the_output_does_not_need_is_left_out():
    graph = _builder()
    x = graph.node("conv2d", "c", "input", {"kernel": np.ones((1, 1, 3, 2))})
    graph.node("conv2d", "unused", x, {"kernel": np.ones((1, 1, 2, 2))})
    written, tensors = container.read(graph.finish(x, {}))
    assert [node["name"] for node in written["nodes"]] == ["c"] and list(tensors) == ["c/kernel"]


def test_scaling_at_the_input_is_folded_unless_it_cannot_be():
    def written(scale, *more):
        graph = _builder()
        x = graph.node("affine", "a", "input", {"scale": np.array(scale), "shift": np.array([1.0, 0, -1])})
        for name, source in more:
            x = graph.node("activation", name, source, kind="relu")
        return container.read(graph.finish(x, {}))[0]

    folded = written([0.5, 1, 4], ("r", "a"))
    assert [node["name"] for node in folded["nodes"]] == ["r"] and folded["nodes"][0]["inputs"] == ["input"]
    assert folded["preprocess"]["subtract"] == [-2, 0, 0.25] and folded["preprocess"]["std"] == [2, 1, 0.25]
    assert [node["name"] for node in written([0.0, 1, 4], ("r", "a"))["nodes"]] == ["a", "r"]  # no division undoes it
    assert [node["name"] for node in written([0.5, 1, 4])["nodes"]] == ["a"]  # it is the output itself


def test_tiny_net_is_what_its_generator_writes():
    committed = tiny_net.PATH.read_bytes()
    assert tiny_net.build() == committed
    assert len(committed) < 100_000


def test_tiny_net_tells_images_apart():
    pixels = np.random.RandomState(1).randint(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    vectors = reference.run(tiny_net.PATH, pixels)
    assert vectors.shape == (4, 40)
    assert 0.1 < np.sqrt(np.mean(vectors**2)) < 10
    assert vectors.std(axis=0).mean() > 0.05
