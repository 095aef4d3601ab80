"""Every graph, node and tensor of a model, however deep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.formats.onnx import KNOWN_DOMAINS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["custom_ops", "graphs", "has_damaged_text", "is_external", "library", "nodes", "tensors"]


def library() -> ModuleType:
    """The onnx package. Unsupported: `no-extra`."""
    return need("onnx", "onnx")


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and those in the attributes of its nodes: branches and bodies of loops."""
    todo = [graph]
    while todo:
        here = todo.pop()
        yield here
        for node in here.node:
            todo += _inner(node)


def _inner(node: Any) -> list[Any]:
    found = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            found.append(attribute.g)
        found += attribute.graphs
    return found


def nodes(model: Any) -> Iterator[Any]:
    """All nodes, those of functions too."""
    for graph in _all_graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def tensors(model: Any) -> Iterator[Any]:
    """All tensors with values: initializers and constants, those within functions too."""
    for graph in _all_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _all_graphs(model: Any) -> Iterator[Any]:
    """The graphs of a model and those within its functions."""
    yield from graphs(model.graph)
    for function in model.functions:
        for node in function.node:
            for inner in _inner(node):
                yield from graphs(inner)


def is_external(tensor: Any) -> bool:
    """Whether its values lie in another file."""
    return bool(tensor.data_location == library().TensorProto.EXTERNAL)


def has_damaged_text(message: Any) -> bool:
    """Whether a name is no UTF-8: protobuf then gives bytes where all expect text."""
    todo = [message]
    while todo:
        here = todo.pop()
        if here.DESCRIPTOR.name == "TensorProto":  # its other fields may be gigabytes
            if not isinstance(here.name, str) or not isinstance(here.doc_string, str):
                return True
            todo += here.external_data
            continue
        for field, value in here.ListFields():
            many = value if hasattr(value, "append") or hasattr(value, "add") else (value,)
            if field.type == field.TYPE_STRING and not all(isinstance(v, str) for v in many):
                return True
            if field.type == field.TYPE_MESSAGE:
                todo += many
    return False


def custom_ops(model: Any) -> set[str]:
    """`domain::Op` of every operator that neither ONNX nor the model itself defines."""
    own = {(function.domain, function.name) for function in model.functions}
    return {
        f"{node.domain}::{node.op_type}"
        for node in nodes(model)
        if node.domain not in KNOWN_DOMAINS and (node.domain, node.op_type) not in own
    }
