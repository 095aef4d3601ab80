"""ONNX graphs as models of passes: read, cleaned of chance, given columns as inputs, written."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from modelyard.errors import Unsupported
from modelyard.frameworks import framework_of, named
from modelyard.frameworks.onnx.walking import graphs, library, nodes
from modelyard.optimization.making import model_of_files
from modelyard.optimization.passes.onnx.names import free

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from modelyard.optimization.state import Model

__all__ = [
    "EXTRA",
    "FILE",
    "cleaned",
    "is_graph",
    "model_of_proto",
    "operators_of",
    "proto_of",
    "with_columns",
]  # fmt: skip

Json = Any

EXTRA = "optimize"
FILE = "model.onnx"


def is_graph(framework: str, serializer: str) -> bool:
    """Whether files hold an ONNX graph, whoever wrote them."""
    return framework == "onnx" or serializer == "onnx"


def proto_of(model: Model) -> Any:
    """The graph of a model. Unsupported: `not-improvable`."""
    if is_graph(model.saved.framework, model.saved.serializer):
        found = model.load()
        if framework_of(found).NAME == "onnx":
            return found
    raise Unsupported(
        "not-improvable", f"this pass takes ONNX graphs, not {model.saved.framework} models",
        hint="put the pass to-onnx before it",
    )  # fmt: skip


def model_of_proto(
    proto: Any, folder: Path, *, like: Model, details: Mapping[str, Json] | None = None
) -> Model:
    """Write a graph into an empty folder.

    Inputs of the signature stay as they were where the graph still takes them: one matrix of
    several named columns.
    """
    from dataclasses import replace

    framework = named("onnx")
    saved = framework.save(cleaned(proto), folder, framework.SERIALIZERS[0])
    if details:
        saved = replace(saved, details={**saved.details, **details})
    own = framework.signature(proto, None) or {}
    before = like.signature or {}
    columns = before.get("inputs") or []
    if len(columns) > 1 and len(own.get("inputs", ())) == 1:
        own = {**own, "inputs": columns}
    return model_of_files(folder, saved, like=like, signature=own)


def cleaned(proto: Any) -> Any:
    """Without notes of exporters: they hold paths, and differ from run to run."""
    proto.doc_string = ""
    for graph in graphs(proto.graph):
        graph.doc_string = ""
        for name in ("metadata_props",):
            if hasattr(graph, name):
                del getattr(graph, name)[:]
        for values in (graph.input, graph.output, graph.value_info, graph.initializer):
            for value in values:
                value.doc_string = ""
                if hasattr(value, "metadata_props"):
                    del value.metadata_props[:]
    for node in nodes(proto):
        node.doc_string = ""
        if hasattr(node, "metadata_props"):
            del node.metadata_props[:]
    return proto


def operators_of(proto: Any) -> dict[str, int]:
    """How often each operator stands in the graph: `MatMul`, `com.microsoft::Attention`."""
    found = Counter(
        f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        for node in nodes(proto)
    )
    return dict(sorted(found.items()))


def with_columns(proto: Any, columns: Sequence[str]) -> Any:
    """A graph that takes one matrix made to take its columns by name, shape (rows, 1) each.

    So it answers the same requests as the model that it was made from.
    """
    onnx = library()
    given = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in given]
    if len(inputs) != 1 or not columns:
        return proto
    (matrix,) = inputs
    kind = matrix.type.tensor_type.elem_type
    taken = {name for graph in graphs(proto.graph) for node in graph.node
             for name in (*node.input, *node.output)}  # fmt: skip
    taken |= given
    if not taken.isdisjoint(set(columns) - {matrix.name}):
        return proto  # a column is called as something within
    inner = matrix.name
    if inner in columns:  # the joined matrix needs a name of its own
        inner = free(f"{matrix.name}_columns", taken | set(columns))
        for graph in graphs(proto.graph):
            for node in graph.node:
                for at, name in enumerate(node.input):
                    if name == matrix.name:
                        node.input[at] = inner
    rest = [value for value in proto.graph.input if value.name in given]
    del proto.graph.input[:]
    proto.graph.input.extend(
        onnx.helper.make_tensor_value_info(name, kind, ["batch", 1]) for name in columns
    )
    proto.graph.input.extend(rest)
    join = onnx.helper.make_node("Concat", list(columns), [inner], name="columns", axis=1)
    before = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([join, *before])
    return proto
