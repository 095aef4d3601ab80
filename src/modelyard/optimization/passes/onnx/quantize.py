"""`quantize`: fewer bits for the numbers of an ONNX graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.passes.interface import Choice, Made, Range
from modelyard.optimization.passes.onnx import halves, integers, lowbit
from modelyard.optimization.passes.onnx.names import shortened
from modelyard.optimization.passes.onnx.protos import (
    EXTRA,
    cleaned,
    is_graph,
    model_of_proto,
    operators_of,
    proto_of,
)
from modelyard.optimization.passes.onnx.rows import known_rows, made_up
from modelyard.optimization.passes.onnx.sensitivity import Layer, Search, layers_of
from modelyard.optimization.passes.onnx.sessions import answers, feeds_of, simplified

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.lineage import LineageKind
    from modelyard.core.table import Table
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["KINDS", "PASS"]

Json = Any

KINDS = ("static", "dynamic", "weights", "blocks", "float16", "bfloat16")
_PACKED = ("weights", "blocks")
"""Kinds that measure nothing."""
_ROWS = 256
_MADE_UP = 32
_JUDGED = 64
"""Rows by which layers are compared."""
_FIDELITY = 0.99
_WORTH = 0.98
"""Of the size, that it must be less for names to be lost."""
_WEIGHTY = frozenset({
    "Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Gather",
    "com.microsoft::Attention", "com.microsoft::FusedMatMul", "com.microsoft::FusedConv",
})  # fmt: skip


class _Quantize:
    """8 bits are a quarter of the size; with VNNI they are faster too, which is measured."""

    NAME = "quantize"
    KIND: Literal["algorithm", "data", "model"] = "model"
    LINEAGE: LineageKind = "quantized-from"
    SUMMARY = "weights, and numbers between layers, with 8, 4 or 16 bits"

    def why_not(self, subject: Subject) -> str | None:
        if is_graph(subject.framework, subject.serializer):
            if subject.operators and _WEIGHTY.isdisjoint(subject.operators):
                return "no operator of the graph has weights that could take fewer bits"
            return None
        if subject.framework in ("torch", "keras", "transformers"):
            return None  # after to-onnx
        if subject.framework == "sklearn" and "neural_network" in subject.class_name:
            return None
        return "it has no layers whose weights could take fewer bits"

    def options(self, subject: Subject) -> Mapping[str, Option]:
        return {
            "kind": Choice(_kinds(subject)),
            "keep": Range(0, 4, 0, whole=True),
        }

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        need("onnx", EXTRA)
        asked = _Asked(params)
        proto = proto_of(model)
        if asked.kind in ("float16", "bfloat16"):
            made, count = halves.halved(proto, asked.kind, asked.names)
            return _done(made, count, model, work, asked, {})
        if asked.kind in ("weights", "blocks"):
            return _weights(proto, model, work, asked)
        return _integers(proto, model, work, asked)


PASS = _Quantize()


class _Asked:
    """Options, checked. InvalidInput: `bad-pass-option`."""

    def __init__(self, params: Mapping[str, Json]) -> None:
        self.kind = str(_one_of("kind", params.get("kind", KINDS[0]), KINDS))
        self.bits = int(_one_of("bits", params.get("bits", 8), (8, 4)))
        self.per_channel = bool(_one_of("per_channel", params.get("per_channel", True),
                                        (True, False)))  # fmt: skip
        self.calibration: Any = _one_of(
            "calibration", params.get("calibration", "minmax"), ("minmax", "percentile", "entropy")
        )
        self.reduce_range = params.get("reduce_range")
        if self.reduce_range is not None:
            _one_of("reduce_range", self.reduce_range, (True, False))
        block = int(_one_of("block", params.get("block", 32), (16, 32, 64, 128, 256)))
        self.block = block if self.kind == "blocks" or self.bits == 4 else None
        self.rows = _whole("rows", params.get("rows", _ROWS), 1)
        self.fidelity = params.get("fidelity", _FIDELITY)
        if isinstance(self.fidelity, bool) or not isinstance(self.fidelity, int | float):
            raise _bad("fidelity is a number up to 1")
        self.adjust = bool(_one_of("adjust", params.get("adjust", True), (True, False)))
        self.operators = _texts("operators", params.get("operators"))
        keep = params.get("keep", 0)
        self.names = () if isinstance(keep, int | float | str) else _texts("keep", keep) or ()
        self.auto = keep == "auto"
        if isinstance(keep, str) and not self.auto:
            raise _bad('keep is a number of layers, "auto", or names of nodes')
        self.count = _whole("keep", keep, 0) if isinstance(keep, int | float) else 0
        if self.bits == 4 and self.kind != "weights":
            raise _bad("4 bits are for kind weights only")


def _weights(proto: Any, model: Model, work: Work, asked: _Asked) -> Made:
    named = _smaller_folded(lowbit.with_names(proto), asked)

    def quantized(keep: Sequence[str]) -> Any:
        return lowbit.packed(
            named, keep, bits=asked.bits, block=asked.block, per_channel=asked.per_channel
        )[0]

    keep = asked.names
    if asked.count or asked.auto:
        table = _rows(model, work, _JUDGED)
        feeds = feeds_of(named, model.signature, table)
        search = Search(quantized, feeds, answers(named, feeds))
        keep = _chosen(search, layers_of(named, tuple(_WEIGHTY)), asked)
    made, count = lowbit.packed(
        named, keep, bits=asked.bits, block=asked.block, per_channel=asked.per_channel
    )
    return _done(made, count, model, work, asked, {"keep": list(keep)})


def _smaller_folded(named: Any, asked: _Asked) -> Any:
    """With constants folded, if that leaves less once it is packed: it may also copy some."""
    try:
        folded = lowbit.with_names(simplified(named, "basic"))
    except Unsupported:
        return named  # operators that another ONNX Runtime knows
    sizes = [lowbit.packed(each, bits=asked.bits, block=asked.block)[0].ByteSize()
             for each in (named, folded)]  # fmt: skip
    return folded if sizes[1] < sizes[0] else named


def _integers(proto: Any, model: Model, work: Work, asked: _Asked) -> Made:
    static = asked.kind == "static"
    reduce_range = asked.reduce_range
    if reduce_range is None:
        reduce_range = not integers.has_vnni()
    default = integers.STATIC if static else integers.DYNAMIC
    operators = asked.operators or default
    if not static and "Conv" in operators:
        raise _bad("dynamic quantization makes convolutions slower: take kind static for them")
    there = operators_of(proto)
    weighty = [name for name in (*integers.HEAVY, *integers.DYNAMIC) if name in operators]
    if not any(name in there for name in weighty) and "Gather" not in there:
        shown = ", ".join(sorted(set(weighty)))
        raise Unsupported(
            "not-improvable", f"the graph has none of {shown}",
            hint="kind weights packs the weights of other operators",
        )  # fmt: skip
    small, looked_up = lowbit.packed_embeddings(proto, asked.names)
    before = integers.ready(small)
    feeds = []
    if static:
        feeds = feeds_of(before, model.signature, _rows(model, work, asked.rows))
    plan = integers.Integers(
        static=static, per_channel=asked.per_channel, reduce_range=bool(reduce_range),
        operators=tuple(operators), calibration=asked.calibration, adjust=asked.adjust,
    )  # fmt: skip
    # the columns of a table differ in scale: joined as 8 bits, the small ones would be lost
    always = ("columns", *looked_up) if static else ()
    plan = _that_runs(plan, before, feeds, always, work, given=asked.operators is not None)

    def quantized(keep: Sequence[str]) -> Any:
        return plan.apply(before, feeds, (*always, *keep), work.scratch)

    keep = asked.names
    if asked.count or asked.auto:
        judged = feeds_of(before, model.signature, _rows(model, work, _JUDGED))
        search = Search(quantized, judged, answers(before, judged))
        keep = _chosen(search, layers_of(before, weighty), asked)
        work.tell(f"{len(keep)} layers stay floats", None)
    made = quantized(keep)
    count = sum(number for name, number in operators_of(made).items()
                if name in ("QuantizeLinear", "MatMulInteger", "com.microsoft::DynamicQuantizeLSTM")
                or name == "DynamicQuantizeLinear")  # fmt: skip
    params: dict[str, Json] = {"keep": list(keep), "reduce_range": plan.reduce_range}
    if plan.operators != tuple(operators):
        params["operators"] = list(plan.operators)
    if not plan.adjust:
        params["adjust"] = False
    return _done(made, count, model, work, asked, params)


def _that_runs(
    plan: integers.Integers, before: Any, feeds: Sequence[Any], always: tuple[str, ...],
    work: Work, *, given: bool,
) -> integers.Integers:  # fmt: skip
    """The plan, or as much of it as ONNX Runtime can do with this graph."""
    if not plan.static:
        return plan
    less = [plan, replace(plan, adjust=False)]
    if not given:
        less += [replace(each, operators=integers.HEAVY) for each in less]
    why: Unsupported | None = None
    for each in less:
        try:
            answers(each.apply(before, feeds, always, work.scratch), feeds[:1])
        except Unsupported as error:
            why = why or error
        else:
            return each
    assert why is not None
    raise why


def _chosen(search: Search, layers: Sequence[Layer], asked: _Asked) -> tuple[str, ...]:
    if asked.auto:
        return search.until(layers, float(asked.fidelity))
    return search.most_sensitive(layers, asked.count)


def _done(
    made: Any, count: int, model: Model, work: Work, asked: _Asked, params: Mapping[str, Json]
) -> Made:
    if not count:
        return Made(model=None, why="no weight of the graph could take fewer bits")
    made = _with_short_names(cleaned(made))
    found = model_of_proto(made, work.folder(), like=model)
    notes = [f"{found.size / max(model.size, 1):.2f} of the size"]
    kept = params.get("keep") or asked.names
    if kept:
        shown = ", ".join(kept[:6]) + (", ..." if len(kept) > 6 else "")
        notes.append(f"{len(kept)} nodes stay floats: {shown}")
    return Made(model=found, notes=tuple(notes), params=params)


def _with_short_names(proto: Any) -> Any:
    """Where names take a part of the size that is worth it."""
    short = shortened(proto)
    return short if short.ByteSize() < _WORTH * proto.ByteSize() else proto


def _rows(model: Model, work: Work, count: int) -> Table:
    """Rows that ranges are measured on."""
    found = known_rows(model, work, count) or made_up(model.signature, _MADE_UP, work.seed)
    if found is None:
        raise Unsupported(
            "not-improvable", "static quantization needs rows to measure ranges on",
            hint="give data, or take kind dynamic or weights",
        )  # fmt: skip
    return found


def _kinds(subject: Subject) -> tuple[str, ...]:
    """What is likely to pay first: convolutions are measured beforehand, products need not be."""
    there = subject.operators
    products = there.get("MatMul", 0) + there.get("LSTM", 0) + there.get("Gemm", 0)
    if there.get("Conv", 0) or not there:
        return ("static", *_PACKED) if there else ("static", "dynamic", *_PACKED)
    if products and (there.get("Gather", 0) or there.get("LSTM", 0) or there.get("Softmax", 0)):
        return ("dynamic", "static", *_PACKED)
    return ("static", "dynamic", *_PACKED)


# --- options ---------------------------------------------------------------------------------


def _one_of(name: str, value: Json, known: Sequence[Json]) -> Json:
    if value not in known or isinstance(value, bool) != isinstance(known[0], bool):
        raise _bad(f"{name} is one of {', '.join(map(str, known))}, not {value!r:.40}")
    return value


def _whole(name: str, value: Json, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise _bad(f"{name} is a whole number, not {value!r:.40}")
    if value < least:
        raise _bad(f"{name} is at least {least}")
    return int(value)


def _texts(name: str, value: Json) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise _bad(f"{name} is a list of names, not {value!r:.40}")
    return tuple(value)


def _bad(message: str) -> InvalidInput:
    return InvalidInput(
        "bad-pass-option", message, hint="quantize: {kind: static, per_channel: true, keep: 0}"
    )
