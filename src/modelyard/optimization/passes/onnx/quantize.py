"""`quantize`: fewer bits for the numbers of an ONNX graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.core.extras import need
from modelyard.core.listing import listed
from modelyard.errors import Unsupported
from modelyard.frameworks.onnx.sizes import size_of
from modelyard.frameworks.onnx.walking import nodes
from modelyard.optimization.passes.interface import Choice, Made, Range
from modelyard.optimization.passes.onnx import halves, integers, lowbit
from modelyard.optimization.passes.onnx.asked import KINDS, Asked, bad_option
from modelyard.optimization.passes.onnx.masks import masking
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
from modelyard.optimization.passes.onnx.sessions import answers, even, feeds_of, simplified
from modelyard.optimization.passes.onnx.weights import holds_packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.lineage import LineageKind
    from modelyard.core.table import Table
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["KINDS", "PASS"]

Json = Any

_PACKED = ("weights", "blocks")
"""Kinds that measure nothing."""
_MADE_UP = 32
_JUDGED = 64
"""Rows by which layers are compared."""
_WORTH = 0.98
"""Of the size, that it must be less for names to be lost."""
_ANEW = 0.8
"""Of the size, that it must be less for weights to be packed anew: 4 bits after 8."""
_INTEGERS = frozenset({
    "QuantizeLinear", "MatMulInteger", "com.microsoft::DynamicQuantizeLSTM",
    "DynamicQuantizeLinear",
})  # fmt: skip
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
        asked = Asked(params)
        proto = proto_of(model)
        if asked.kind in ("float16", "bfloat16"):
            named = lowbit.with_names(proto) if asked.names else proto
            asked.check_names(_nodes(named))
            made, count = halves.halved(named, asked.kind, asked.names)
            return _done(proto, made, count, model, work, asked, {})
        if asked.kind in ("weights", "blocks"):
            return _weights(proto, model, work, asked)
        return _integers(proto, model, work, asked)


PASS = _Quantize()


def _weights(proto: Any, model: Model, work: Work, asked: Asked) -> Made:
    whole = lowbit.with_names(proto)
    named = _smaller_folded(whole, asked)
    asked.check_names(_nodes(whole) | _nodes(named))

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
    return _done(proto, made, count, model, work, asked, {"keep": list(keep)})


def _smaller_folded(named: Any, asked: Asked) -> Any:
    """With constants folded, if that leaves less once it is packed: it may also copy some.

    Weights that are packed already would be unpacked, and packed anew for nothing.
    """
    try:
        folded = lowbit.with_names(simplified(named, "basic"))
    except Unsupported:
        return named  # operators that another ONNX Runtime knows
    sizes = [size_of(lowbit.packed(each, bits=asked.bits, block=asked.block)[0])
             for each in (named, folded)]  # fmt: skip
    worth = _ANEW if holds_packed(named) else 1
    return folded if sizes[1] < worth * sizes[0] else named


def _integers(proto: Any, model: Model, work: Work, asked: Asked) -> Made:
    static = asked.kind == "static"
    reduce_range = asked.reduce_range
    if reduce_range is None:
        reduce_range = not integers.has_vnni()
    default = integers.STATIC if static else integers.DYNAMIC
    operators = asked.operators or default
    if not static and "Conv" in operators:
        raise bad_option(
            "dynamic quantization makes convolutions slower: take kind static for them"
        )
    there = operators_of(proto)
    weighty = [name for name in (*integers.HEAVY, *integers.DYNAMIC) if name in operators]
    if not any(name in there for name in weighty) and "Gather" not in there:
        shown = ", ".join(sorted(set(weighty)))
        raise Unsupported(
            "not-improvable", f"the graph has none of {shown}",
            hint="kind weights packs the weights of other operators",
        )  # fmt: skip
    named = lowbit.with_names(proto)
    small, looked_up = lowbit.packed_embeddings(named, asked.names)
    before = integers.ready(small)
    asked.check_names(_nodes(named) | _nodes(before))
    feeds = []
    if static:
        feeds = feeds_of(before, model.signature, _rows(model, work, asked.rows))
        if asked.calibration != "minmax":  # the others stack what they measure
            feeds = even(feeds)
    plan = integers.Integers(
        static=static, per_channel=asked.per_channel, reduce_range=bool(reduce_range),
        operators=tuple(operators), calibration=asked.calibration, adjust=asked.adjust,
    )  # fmt: skip
    # the columns of a table differ in scale: joined as 8 bits, the small ones would be lost
    always = ("columns", *looked_up) if static else ()
    always = (*always, *masking(before))
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
    count = _integer_nodes(made)
    if _integer_nodes(before) and size_of(made) > _WORTH * size_of(before):
        count = 0  # its weights were whole numbers before
    params: dict[str, Json] = {"keep": list(keep), "reduce_range": plan.reduce_range}
    if plan.operators != tuple(operators):
        params["operators"] = list(plan.operators)
    if not plan.adjust:
        params["adjust"] = False
    return _done(proto, made, count, model, work, asked, params)


def _integer_nodes(proto: Any) -> int:
    return sum(number for name, number in operators_of(proto).items() if name in _INTEGERS)


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
    wanted = answers(before, feeds[:1])
    why: Unsupported | None = None
    for each in less:
        try:
            found = answers(each.apply(before, feeds, always, work.scratch), feeds[:1])
            _check_finite(wanted, found)
        except Unsupported as error:
            why = why or error
        else:
            return each
    assert why is not None
    raise why


def _check_finite(wanted: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> None:
    """Unsupported: `not-improvable`: what were numbers are none any more."""
    for before, after in zip(wanted, found, strict=True):
        for name, values in before.items():
            if values.dtype.kind != "f" or not np.isfinite(values).all():
                continue
            if not np.isfinite(after[name]).all():
                raise Unsupported("not-improvable", f"in 8 bits, {name!r} is not finite any more")


def _chosen(search: Search, layers: Sequence[Layer], asked: Asked) -> tuple[str, ...]:
    if asked.auto:
        return search.until(layers, float(asked.fidelity))
    return search.most_sensitive(layers, asked.count)


def _done(
    before: Any, made: Any, count: int, model: Model, work: Work, asked: Asked,
    params: Mapping[str, Json],
) -> Made:  # fmt: skip
    if not count:
        return Made(model=None, why="no weight of the graph could take fewer bits")
    made = _with_short_names(cleaned(made))
    _check_loads(before, made)
    found = model_of_proto(made, work.folder(), like=model)
    notes = [f"{found.size / max(model.size, 1):.2f} of the size"]
    kept = params.get("keep") or asked.names
    if kept:
        shown = listed(kept, 6)
        notes.append(f"{len(kept)} nodes stay floats: {shown}")
    return Made(model=found, notes=tuple(notes), params=params)


def _check_loads(before: Any, made: Any) -> None:
    """Unsupported: `not-improvable`: ONNX Runtime refuses it, but not what it was made of."""
    try:
        answers(made, ())
    except Unsupported:
        try:
            answers(before, ())
        except Unsupported:  # operators that another ONNX Runtime knows
            return
        raise


def _nodes(proto: Any) -> set[str]:
    return {node.name for node in nodes(proto)}


def _with_short_names(proto: Any) -> Any:
    """Where names take a part of the size that is worth it."""
    short = shortened(proto)
    return short if size_of(short) < _WORTH * size_of(proto) else proto


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
