"""Names of values: within a graph and those inside of it, which may use names of outer ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.frameworks.onnx.walking import graphs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["names_of", "renamed"]


def names_of(proto: Any) -> set[str]:
    """All values, however deep."""
    found: set[str] = set()
    for graph in graphs(proto.graph):
        for node in graph.node:
            found.update(node.input, node.output)
        for values in (graph.input, graph.output, graph.initializer, graph.value_info):
            found.update(value.name for value in values)
        found.update(sparse.values.name for sparse in graph.sparse_initializer)
    return found


def renamed(proto: Any, names: Mapping[str, str]) -> Any:
    """The same graph with other names for some values, wherever they stand."""
    for graph in graphs(proto.graph):
        for node in graph.node:
            for side in (node.input, node.output):
                for at, name in enumerate(side):
                    side[at] = names.get(name, name)
        for values in (graph.input, graph.output, graph.initializer, graph.value_info):
            for value in values:
                value.name = names.get(value.name, value.name)
        for sparse in graph.sparse_initializer:
            sparse.values.name = names.get(sparse.values.name, sparse.values.name)
        for note in graph.quantization_annotation:
            note.tensor_name = names.get(note.tensor_name, note.tensor_name)
    return proto
