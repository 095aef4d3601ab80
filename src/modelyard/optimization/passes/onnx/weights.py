"""Weights of a graph, wherever they are, and other nodes put into their place."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.onnx.walking import graphs, library

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Use", "Weight", "replaced", "weights_of"]

_LEAST = 256
"""Numbers that a weight must have to be worth packing."""


@dataclass(frozen=True, slots=True)
class Use:
    """Where a weight goes."""

    node: str
    op: str
    at: int
    """Which input of the operator."""
    channels: tuple[int, ...]
    """Its sides along which scales differ best: those of what the operator gives."""


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
    uses = _uses(proto)
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


def replaced(weight: Weight, tensors: Sequence[Any], nodes: Sequence[Any]) -> None:
    """Other tensors in its place, and nodes that make it of them, under its name."""
    graph = weight.graph
    place = next(i for i, t in enumerate(graph.initializer) if t.name == weight.name)
    del graph.initializer[place]
    graph.initializer.extend(tensors)
    for node in reversed(nodes):
        graph.node.insert(0, node)


def _uses(proto: Any) -> dict[str, list[Use]]:
    found: dict[str, list[Use]] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    for graph in graphs(proto.graph):
        sizes.update((tensor.name, tuple(tensor.dims)) for tensor in graph.initializer)
    for graph in graphs(proto.graph):
        for node in graph.node:
            for at, name in enumerate(node.input):
                if name in sizes:
                    channels = _channels(node, at, len(sizes[name]))
                    found.setdefault(name, []).append(Use(node.name, node.op_type, at, channels))
        for value in graph.output:
            if value.name in sizes:  # a branch gives it as it is
                found.setdefault(value.name, []).append(Use("", "output", 0, ()))
    return found


def _channels(node: Any, at: int, sides: int) -> tuple[int, ...]:
    """Sides of a weight that a scale may differ along: where it is not summed over."""
    op = node.op_type if node.domain in ("", "ai.onnx") else ""
    if op == "Conv" and at == 1:
        return (0,)
    if op == "ConvTranspose" and at == 1:
        return (1,) if _number(node, "group", 1) == 1 else (0, 1)
    if op == "Gemm" and at == 1:
        return (0,) if _number(node, "transB", 0) else (1,)
    if op == "MatMul" and sides >= 2:
        return (sides - 1,) if at == 1 else (sides - 2,)
    if op in ("LSTM", "GRU", "RNN") and at in (1, 2):
        return (0, 1)
    if op == "Gather" and at == 0 and _number(node, "axis", 0) == 0:
        return (0,)
    return (0,) if sides > 1 else ()


def _number(node: Any, name: str, default: int) -> int:
    return next((int(each.i) for each in node.attribute if each.name == name), default)


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
