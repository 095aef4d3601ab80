"""Weights of a graph, wherever they are, and other nodes put into their place."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.onnx.walking import graphs, library
from modelyard.optimization.passes.onnx.consumers import Use, uses_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    Array = np.ndarray[Any, Any]

__all__ = ["Weight", "holds_packed", "packable", "replaced", "weights_of"]

_LEAST = 256
"""Numbers that a weight must have to be worth packing."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor of 32-bit floats that operators take as a constant."""

    graph: Any
    tensor: Any
    uses: tuple[Use, ...]

    @property
    def name(self) -> str:
        return str(self.tensor.name)

    @property
    def dims(self) -> tuple[int, ...]:
        return tuple(self.tensor.dims)

    def array(self) -> Array:
        found: Array = library().numpy_helper.to_array(self.tensor)
        return found


def weights_of(
    proto: Any, *, keep: Collection[str] = (), sides: int = 2, least: int = _LEAST
) -> Iterator[Weight]:
    """Large weights of a graph and of those within it, which may be replaced while they come.

    Args:
        proto: Its large Constant nodes become initializers.
        keep: Names of nodes whose weights are left out.
        sides: That a weight has at least: biases have one.
        least: Numbers that it has at least.
    """
    onnx = library()
    outputs = {value.name for value in proto.graph.output}
    for graph in list(graphs(proto.graph)):
        _lift_constants(graph)
    uses = uses_of(proto)
    names: dict[str, int] = {}
    for graph in graphs(proto.graph):
        for tensor in graph.initializer:
            names[tensor.name] = names.get(tensor.name, 0) + 1
    fed = {value.name for value in proto.graph.input}
    for graph in list(graphs(proto.graph)):
        for tensor in list(graph.initializer):
            found = uses.get(tensor.name, [])
            if (
                tensor.data_type == onnx.TensorProto.FLOAT and prod(tensor.dims) >= least
                and len(tensor.dims) >= sides and found
                and tensor.name not in outputs and tensor.name not in fed
                and names[tensor.name] == 1  # inner graphs may hide a name of outer ones
                and not any(use.node in keep for use in found)
            ):  # fmt: skip
                yield Weight(graph, tensor, tuple(found))


def packable(proto: Any, keep: Collection[str] = ()) -> Iterator[Weight]:
    """Those that few bits suit: summed over or looked up, and finite.

    Steps of a mask, or of places in a picture, would be seen in each answer; those of products
    are lost in their sums.
    """
    for weight in weights_of(proto, keep=keep):
        if all(use.weighty for use in weight.uses) and np.isfinite(weight.array()).all():
            yield weight


def holds_packed(proto: Any) -> bool:
    """Whether weights of 8 bits or less are widened in it: to fold constants would unpack them."""
    kinds = library().TensorProto
    short = (kinds.INT8, kinds.UINT8, kinds.INT4, kinds.UINT4)
    found = {
        tensor.name for graph in graphs(proto.graph) for tensor in graph.initializer
        if tensor.data_type in short and prod(tensor.dims) >= _LEAST
    }  # fmt: skip
    return any(
        node.op_type in ("Cast", "DequantizeLinear", "Gather") and node.input[0] in found
        for graph in graphs(proto.graph)
        for node in graph.node
    )


def replaced(weight: Weight, tensors: Sequence[Any], nodes: Sequence[Any]) -> None:
    """Other tensors in its place, and nodes that make it of them, under its name."""
    graph = weight.graph
    place = next(i for i, t in enumerate(graph.initializer) if t.name == weight.name)
    del graph.initializer[place]
    graph.initializer.extend(tensors)
    for node in reversed(nodes):
        graph.node.insert(0, node)


def _lift_constants(graph: Any) -> None:
    """Large tensors of Constant nodes as initializers: the same to whoever uses them."""
    onnx = library()
    gone = []
    for at, node in enumerate(graph.node):
        if node.op_type != "Constant" or node.domain not in ("", "ai.onnx"):
            continue
        tensor = next((each.t for each in node.attribute if each.name == "value"), None)
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        if prod(tensor.dims) >= _LEAST:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = node.output[0]
            gone.append(at)
    for at in reversed(gone):
        del graph.node[at]
