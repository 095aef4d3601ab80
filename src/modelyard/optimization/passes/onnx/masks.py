"""Nodes whose numbers 8 bits can't hold beside others: masks of -inf, -3.4e38, -1e9."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelyard.frameworks.onnx.walking import graphs, library

__all__ = ["masking"]

_ENORMOUS = 1e6
"""Above it, 256 steps over all numbers leave none for those that are not masked."""
_CARRY = frozenset({
    "Add", "Cast", "Concat", "Div", "Expand", "Flatten", "Gather", "Identity", "Max", "Min", "Mul",
    "Neg", "Pad", "Reshape", "Resize", "ScatterND", "Slice", "Split", "Squeeze", "Sub", "Tile",
    "Transpose", "Trilu", "Unsqueeze", "Where",
})  # fmt: skip
"""Operators that give on what is enormous; Softmax, Clip and MaxPool give ordinary numbers."""
_BOUNDS = frozenset({"Clip", "Max", "Min"})
"""Operators for which an enormous constant is a bound that nothing meets."""


def masking(proto: Any) -> tuple[str, ...]:
    """Names of nodes that take such a number, as a constant or from a node before.

    Args:
        proto: Every node of it has a name.
    """
    found: list[str] = []
    constants = {
        tensor.name for graph in graphs(proto.graph) for tensor in graph.initializer
        if _is_enormous(tensor)
    }  # fmt: skip
    carried: set[str] = set()
    for graph in graphs(proto.graph):
        for node in graph.node:
            if node.op_type == "Constant":
                if any(each.name == "value" and _is_enormous(each.t) for each in node.attribute):
                    constants.update(node.output)
                continue
            enormous = carried if node.op_type in _BOUNDS else carried | constants
            if enormous.isdisjoint(node.input):
                continue
            found.append(node.name)
            if node.op_type in _CARRY:
                carried.update(node.output)
    return tuple(found)


def _is_enormous(tensor: Any) -> bool:
    kinds = library().TensorProto
    if tensor.data_type not in (kinds.FLOAT, kinds.DOUBLE):
        return False
    values = library().numpy_helper.to_array(tensor)
    return bool(values.size) and not bool((np.abs(values) < _ENORMOUS).all())
