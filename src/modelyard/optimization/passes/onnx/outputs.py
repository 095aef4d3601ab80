"""Outputs of converted graphs, called and shaped as those of the model that they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelyard.frameworks.onnx.naming import names_of, renamed
from modelyard.frameworks.onnx.reading import named_outputs
from modelyard.frameworks.onnx.walking import graphs, library
from modelyard.optimization.passes.onnx.names import free

__all__ = ["Wanted", "called"]

Wanted = Mapping[str, Any] | None
"""What a model says of rows, by name; None if nobody asked it."""


def called(proto: Any, wanted: Wanted = None) -> Any:
    """Outputs called by what they mean, so that no pass need know who converted it.

    One column of numbers becomes numbers, or the columns that the model gives.
    """
    outputs = [value.name for value in proto.graph.output]
    names = named_outputs(proto)
    if len(outputs) == 1 and wanted is not None and len(wanted) == 1:
        names = {outputs[0]: next(iter(wanted))}
    elif not names and outputs in (["variable"], ["transformed_column"]):
        names = {outputs[0]: "embedding"}
    names = {old: new for old, new in names.items() if old != new}
    taken = {name for graph in graphs(proto.graph) for node in graph.node
             for name in (*node.input, *node.output)}  # fmt: skip
    if taken.isdisjoint(names.values()):
        renamed(proto, names)
    if [value.name for value in proto.graph.output] == ["prediction"]:
        shape = (0,) if wanted is None else np.shape(wanted.get("prediction", ()))
        _shape(proto, "prediction", shape[1:])
    return proto


def _shape(proto: Any, name: str, sides: tuple[int, ...]) -> None:
    """What a row gives, as scikit-learn shapes it: a number, or as many as there are targets.

    A column is taken for numbers; skl2onnx makes one of the targets of networks, too.
    """
    onnx = library()
    (output,) = proto.graph.output
    given = output.type.tensor_type.shape.dim
    if len(given) != 2 or given[1].dim_value > 1 or sides == (1,):
        return
    taken = names_of(proto)
    column, shape = free(f"{name}_column", taken), free(f"{name}_shape", taken)
    for node in proto.graph.node:
        for at, made in enumerate(node.output):
            if made == name:
                node.output[at] = column
        for at, used in enumerate(node.input):
            if used == name:
                node.input[at] = column
    wanted = np.array([-1, *sides], np.int64)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(wanted, shape))
    proto.graph.node.append(
        onnx.helper.make_node("Reshape", [column, shape], [name], name=f"{name}_rows")
    )
    kind = output.type.tensor_type.elem_type
    output.CopyFrom(onnx.helper.make_tensor_value_info(name, kind, ["batch", *sides]))
