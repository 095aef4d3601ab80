"""`graph`: an ONNX graph made simpler: constants folded, what is not needed gone, nodes fused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks.onnx.walking import custom_ops, graphs, library
from modelyard.optimization.passes.interface import Choice, Made
from modelyard.optimization.passes.onnx.parity import compared
from modelyard.optimization.passes.onnx.protos import (
    EXTRA,
    is_graph,
    model_of_proto,
    operators_of,
    proto_of,
)
from modelyard.optimization.passes.onnx.rows import known_rows, made_up
from modelyard.optimization.passes.onnx.sessions import answers, feeds_of, simplified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any
_LEVELS = ("basic", "extended")
_ROWS = 64
_MADE_UP = 32
_TOLERANCE = 1e-3


class _Graph:
    """ONNX Runtime does the same whenever it loads a graph: done once, loading is quicker."""

    NAME = "graph"
    KIND: Literal["algorithm", "data", "model"] = "model"
    LINEAGE: LineageKind = "updated-from"
    SUMMARY = "the graph made simpler, as ONNX Runtime would each time it loads it"

    def why_not(self, subject: Subject) -> str | None:
        if is_graph(subject.framework, subject.serializer):
            return None
        if subject.framework in ("torch", "keras", "transformers", "sklearn", "xgboost",
                                 "lightgbm"):  # fmt: skip
            return None  # after to-onnx
        return "it is no ONNX graph"

    def options(self, subject: Subject) -> Mapping[str, Option]:
        del subject
        return {"level": Choice(_LEVELS)}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        need("onnx", EXTRA)
        level = params.get("level", _LEVELS[0])
        if level not in _LEVELS:
            raise InvalidInput(
                "bad-pass-option", f"level is one of {', '.join(_LEVELS)}, not {level!r:.40}",
                hint="extended fuses operators: quantize before it",
            )  # fmt: skip
        before = proto_of(model)
        after = simplified(before, level, fold=not _is_packed(before))
        if custom_ops(after) - custom_ops(before):
            raise Unsupported("not-improvable", "ONNX Runtime made operators that only it knows")
        counts = sum(operators_of(before).values()), sum(operators_of(after).values())
        if operators_of(before) == operators_of(after):
            return Made(model=None, why="the graph is as simple as it can be")
        _check(before, after, model, work)
        made = model_of_proto(after, work.folder(), like=model)
        return Made(model=made, notes=(f"{counts[0]} nodes became {counts[1]}",))


PASS = _Graph()


def _is_packed(proto: Any) -> bool:
    """Whether it widens weights of few bits: folding constants would unpack them."""
    kinds = library().TensorProto
    wide = (kinds.FLOAT, kinds.DOUBLE, kinds.INT64, kinds.STRING)
    packed = {
        tensor.name
        for graph in graphs(proto.graph)
        for tensor in graph.initializer
        if tensor.data_type not in wide
    }
    return any(
        node.op_type in ("Cast", "DequantizeLinear") and node.input[0] in packed
        for graph in graphs(proto.graph)
        for node in graph.node
    )


def _check(before: Any, after: Any, model: Model, work: Work) -> None:
    """Both on the same rows. Unsupported: `not-improvable`: they differ."""
    rows = known_rows(model, work, _ROWS) or made_up(model.signature, _MADE_UP, work.seed)
    if rows is None:
        answers(after, ())  # it is loaded, at least
        return
    feeds = feeds_of(before, model.signature, rows)
    pairs = zip(answers(before, feeds), answers(after, feeds), strict=True)
    for wanted, found in pairs:
        compared(wanted, found).refuse(_TOLERANCE)
