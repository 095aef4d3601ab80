"""Views of an evaluation: measures with intervals, confusion, calibration, slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.cli.text import Block, Column, Line, Span, Spans, Table, bar
from modelyard.cli.views import words
from modelyard.core.evaluation import LEARNED
from modelyard.core.version import human_size
from modelyard.core.wire import builtins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.evaluation import Confusion, Evaluation, Measure, Slice

__all__ = ["EvaluationView", "evaluation_lines", "evaluations_json", "interval", "milliseconds"]

_CLASSES = 12
_SLICES = 15
_SLICE_MEASURES = 4
_TELLING = ("accuracy", "f1", "roc_auc", "log_loss", "rmse", "mae", "r2", "ndcg@10", "mrr",
            "recall@1", "recall@10")  # fmt: skip
"""What `yard show` tells of an evaluation; the rest is in `metrics`."""


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """One evaluation."""

    evaluation: Evaluation

    def json(self) -> object:
        return self.evaluation

    def lines(self) -> Iterator[Block]:
        yield from _head(self.evaluation)
        yield ""
        yield _measures(self.evaluation.measures)
        if self.evaluation.confusion is not None:
            yield from _confusion(self.evaluation.confusion)
        yield from _calibration(self.evaluation)
        for column in dict.fromkeys(part.column for part in self.evaluation.slices):
            yield from _slices(
                column, [part for part in self.evaluation.slices if part.column == column]
            )

    def ids(self) -> Iterator[str]:
        yield str(self.evaluation.id)


def evaluation_lines(evaluations: Sequence[Evaluation], first: int = 5) -> Iterator[Block]:
    """The evaluations of a version, one line each, as `yard show` has them."""
    if not evaluations:
        return
    yield ""
    columns = [Column("evaluations"), Column("time"), Column("rows", right=True),
               Column("measures", flexible=True)]  # fmt: skip
    yield Table(columns, [_short(each) for each in evaluations[:first]])
    if left := max(len(evaluations) - first, 0):
        yield Span(f"... and {left:,} more", "dim")


def interval(measure: Measure) -> str:
    """`0.88 to 0.93`; empty if none is known."""
    if measure.low is None or measure.high is None:
        return ""
    return f"{words.amount(measure.low)} to {words.amount(measure.high)}"


def milliseconds(value: float) -> str:
    """`3.4 ms`."""
    return f"{value:.3g} ms"


def _short(each: Evaluation) -> Spans:
    chosen = [m for m in each.measures if m.name in _TELLING] or each.measures[:3]
    shown = [f"{m.name} {words.amount(m.value)}" + (f" ({interval(m)})" if interval(m) else "")
             for m in chosen]  # fmt: skip
    name = f"{each.data} {each.data_digest[:8]}"
    return [name, words.minute(each.created), f"{each.rows:,}", ", ".join(shown)]


def _head(found: Evaluation) -> Iterator[Line]:
    yield [Span(found.title, "bold"), f" measured on {found.data}"]
    facts = {
        "suite": found.suite,
        "target": found.target,
        "data": f"{found.rows:,} rows, sha256 {found.data_digest[:12]}",
        "size": human_size(found.size) if found.size else "",
    }
    yield from (words.fact(name, text) for name, text in facts.items() if text)
    if found.latency is not None:
        time = found.latency
        yield words.fact(
            "latency",
            f"{milliseconds(time.p50)} for a row (p95 {milliseconds(time.p95)}), "
            f"{time.rows_per_second:,.0f} rows/s in batches of {time.batch_rows:,}",
        )
    yield from (words.fact("note", _note(note)) for note in found.notes)


def _note(note: str) -> str | list[str | Span]:
    return [Span(note, "warn")] if note == LEARNED else note


def _measures(measures: Sequence[Measure]) -> Table:
    columns = [Column("metric"), Column("value", right=True), Column("95 % interval")]
    rows: list[Spans] = [
        [m.name, Span(words.amount(m.value), "bold"), Span(interval(m), "dim")] for m in measures
    ]
    return Table(columns, rows)


def _confusion(confusion: Confusion) -> Iterator[Block]:
    labels = confusion.labels
    yield ""
    if len(labels) > _CLASSES:
        yield from _worst_confusions(confusion)
        return
    columns = [Column("true \\ said"), *(Column(label[:12], right=True) for label in labels)]
    rows: list[Spans] = []
    for i, (label, row) in enumerate(zip(labels, confusion.matrix, strict=True)):
        cells = [Span(f"{n:,}", "good" if i == j else ("" if n else "dim"))
                 for j, n in enumerate(row)]  # fmt: skip
        rows.append([label, *cells])
    yield Table(columns, rows)


def _worst_confusions(confusion: Confusion) -> Iterator[Block]:
    labels = confusion.labels
    wrong = [
        (n, labels[i], labels[j])
        for i, row in enumerate(confusion.matrix)
        for j, n in enumerate(row)
        if i != j and n
    ]
    rows: list[Spans] = [
        [true, said, f"{n:,}"] for n, true, said in sorted(wrong, reverse=True)[:_CLASSES]
    ]
    yield Table([Column("true"), Column("taken for"), Column("rows", right=True)], rows)


def _calibration(found: Evaluation) -> Iterator[Block]:
    bins = found.calibration
    if not bins:
        return
    yield ""
    columns = [Column("sure of", right=True), Column("right", right=True), Column(),
               Column("rows", right=True)]  # fmt: skip
    rows: list[Spans] = [
        [f"{b.confidence:.0%}", f"{b.accuracy:.0%}", Span(bar(b.accuracy), "name"), f"{b.rows:,}"]
        for b in bins
    ]
    yield Table(columns, rows)


def _slices(column: str, parts: Sequence[Slice]) -> Iterator[Block]:
    names = [m.name for m in parts[0].measures[:_SLICE_MEASURES]]
    yield ""
    columns = [
        Column(column, flexible=True), Column("rows", right=True),
        *(Column(name, right=True) for name in names[:1]), Column("95 % interval"),
        *(Column(name, right=True) for name in names[1:]),
    ]  # fmt: skip
    yield Table(columns, [_slice(part, names) for part in parts[:_SLICES]])
    if left := max(len(parts) - _SLICES, 0):
        yield Span(f"... and {left:,} more: --json", "dim")


def _slice(part: Slice, names: Sequence[str]) -> Spans:
    known: dict[str, Any] = {m.name: m for m in part.measures}
    values = [words.amount(known[name].value) if name in known else "-" for name in names]
    first = interval(known[names[0]]) if names and names[0] in known else ""
    return [part.value, f"{part.rows:,}", *values[:1], Span(first, "dim"), *values[1:]]


def evaluations_json(evaluations: Sequence[Evaluation]) -> list[Any]:
    """Evaluations as `yard show --json` has them: without slices and pictures."""
    names = ("id", "suite", "data", "data_digest", "target", "rows", "created", "measures")
    return [builtins({name: getattr(each, name) for name in names}) for each in evaluations]
