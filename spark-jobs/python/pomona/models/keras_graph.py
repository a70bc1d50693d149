# SPDX-License-Identifier: Apache-2.0
"""Walks a Keras functional or sequential model and writes its layers as nodes of our graph, unfused.

Models inside models are opened, a layer that is used several times gives a node for each use, and only what the wanted
output needs is written. `keras_layers` and `keras_activations` hold one function a layer class. No layer is computed.
"""

from dataclasses import replace
from typing import Any, Dict, Iterator, List, Optional

from pomona.models import ModelError, keras_layers
from pomona.models.graph import INPUT, GraphBuilder
from pomona.models.keras_call import Call, Shape, Use, Value, as_map, class_name, free_name, inner_model, sides

LAYERS = keras_layers.LAYERS


# Built from a file though they become no nodes: what needs none of them can be cut out with --output.
PASSED_OVER = (
    *("Conv1D", "Conv2DTranspose", "Conv3D", "Cropping1D", "Dot", "ELU", "Embedding", "GlobalAveragePooling1D"),
    *("GlobalMaxPooling1D", "GroupNormalization", "GRU", "LSTM", "Masking", "Maximum", "Minimum", "MultiHeadAttention"),
    *("Permute", "PReLU", "RepeatVector", "Resizing", "SimpleRNN", "UnitNormalization", "UpSampling2D"),
)


def supported() -> str:
    return ", ".join(sorted(LAYERS))


def check_harmless(name: str, path: str) -> None:
    """Refuses a class of a file that is neither walked nor known to be harmless, Lambda above all."""
    if name not in LAYERS and name not in PASSED_OVER:
        raise ModelError(f"layer {path}: class {name} is not supported; supported: {supported()}")


def walk(model: Any, graph: GraphBuilder, output: Optional[str] = None) -> str:
    """Adds what the model's one output (or the output of that layer) needs; returns its node."""
    if len(model.inputs) != 1 or (len(model.outputs) != 1 and not output):
        raise ModelError(
            f"{model.name}: {len(model.inputs)} inputs and {len(model.outputs)} outputs; one of each works"
            + ("" if len(model.inputs) != 1 else ", or name the layer with --output")
        )
    functional = inner_model(model)
    if not functional:
        raise ModelError(f"{model.name}: {class_name(model)} is no functional or sequential model of a known input")
    uses = _Uses(functional)
    wanted = uses.find(output) if output else uses.outputs[0]
    values = {INPUT: Value(INPUT, graph.input_shape, graph.input_shape)}
    taken = {use.name for use in uses.calls} | {INPUT}
    for use in uses.needed(wanted):
        _check(use, uses, values)
        inputs = [values[source] for source in use.sources]
        use = use if None not in use.shape else replace(use, shape=_shape(use, inputs))
        call = Call(use, inputs, taken)
        made = LAYERS[class_name(use.layer)](call, graph)
        values[use.name] = made if isinstance(made, Value) else Value(made, as_map(use.name, use.shape), use.shape)
    return values[wanted].node


class _Uses:
    """The uses of all layers of a model and of the models in it, each after those that it reads."""

    def __init__(self, model: Any):
        self.calls: List[Use] = []
        self._known: Dict[str, str] = {}  # name of a layer or nested model -> use that makes its output
        self._taken = {INPUT}
        self.outputs = self._open(model, [INPUT], "")

    def find(self, name: str) -> str:
        if name not in self._known:
            near = [known for known in self._known if name.lower() in known.lower()] or list(self._known)
            raise ModelError(f"no layer is called {name!r}; there are: {', '.join(near[-20:])}")
        return self._known[name]

    def needed(self, wanted: str) -> List[Use]:
        names, calls = {wanted}, []
        for use in reversed(self.calls):
            if use.name in names:
                names.update(use.sources)
                calls.append(use)
        return calls[::-1]

    def readers(self, name: str) -> List[str]:
        return [use.name for use in self.calls if name in use.sources]

    def _open(self, model: Any, sources: List[str], prefix: str) -> List[str]:
        made = {id(tensor): source for tensor, source in zip(model.inputs, sources)}
        for node in _nodes(model):
            operation, reads = node.operation, [made[id(tensor)] for tensor in node.input_tensors]
            name = free_name(prefix + operation.name, self._taken)
            inner = inner_model(operation)
            outputs = self._open(inner, reads, f"{name}/") if inner else [self._add(node, name, reads)]
            made.update(zip(map(id, node.outputs), outputs))
            self._known[name] = outputs[0]
        return [made[id(tensor)] for tensor in model.outputs]

    def _add(self, node: Any, name: str, reads: List[str]) -> str:
        arguments = (node.arguments.args, node.arguments.kwargs)
        self.calls.append(Use(node.operation, name, reads, tuple(node.outputs[0].shape[1:]), arguments))
        return name


def _nodes(model: Any) -> Iterator[Any]:
    """Every use of a layer, in an order of computation; inputs are none."""
    for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True):
        yield from (node for node in nodes if not node.is_input)


def _check(use: Use, uses: _Uses, values: Dict[str, Value]) -> None:
    name = class_name(use.layer)
    if name not in LAYERS:
        reads = ", ".join(f"{source} ({sides(values[source].shape)})" for source in use.sources)
        readers = ", ".join(uses.readers(use.name)) or "nothing"
        raise ModelError(
            f"layer {use.name}: class {name} is not supported; it reads {reads}, and {readers} reads it; "
            f"--output LAYER can cut before it; supported: {supported()}"
        )


def _shape(use: Use, inputs: List[Value]) -> Shape:
    """What the layer gives in a model that takes images of any size, once the size is known."""
    from keras import KerasTensor, tree

    sized = iter([KerasTensor((None, *value.shape)) for value in inputs])
    args, kwargs = tree.map_structure(lambda x: next(sized) if hasattr(x, "_keras_history") else x, use.arguments)
    return tuple(use.layer.compute_output_spec(*args, **kwargs).shape[1:])
