"""The view of a profile: what a version's traffic is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from modelyard.cli.text import Block, Column, Span, Spans, Table, spark
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.monitoring import Column as Watched
    from modelyard.core.monitoring import Measured, ProfileInfo

__all__ = ["ProfileView"]

_FIRST: Final = 40
_CELLS: Final = 12
_QUANTILES: Final = 31
"""Edges of a column whose bins are quantiles."""
_NAMED: Final = 4
_MEASURES: Final = 20
_SOURCES: Final = {
    "data": "of data that was given for it",
    "evaluation": "of an evaluation",
    "traffic": "of the first traffic, in want of anything better: yard profile makes a real one",
}


@dataclass(frozen=True, slots=True)
class ProfileView:
    """The reference of one version."""

    info: ProfileInfo

    def json(self) -> object:
        return self.info

    def lines(self) -> Iterator[Block]:
        info = self.info
        head: Spans = [Span(f"{info.model}@{info.number}", "bold")]
        head.append(f" reference of {words.count(info.rows, 'row')}")
        if info.data is not None:
            head += [" of ", Span(info.data, "name")]
        yield [*head, f", {words.minute(info.created)}"]
        yield Span(_SOURCES[info.source], "warn" if info.source == "traffic" else "dim")
        yield ""
        columns = [
            Column("inputs", flexible=True), Column("kind"), Column("range or categories"),
            Column("median", right=True), Column("spread"), Column("missing", right=True),
        ]  # fmt: skip
        shown = info.schema.columns[:_FIRST]
        yield Table(columns, [_row(each, each.name in info.schema.groups) for each in shown])
        if left := len(info.schema.columns) - len(shown):
            yield Span(f"... and {left:,} more: --json", "dim")
        yield from _predicts(info)
        yield from _measures(info.measures)

    def ids(self) -> Iterator[str]:
        yield f"{self.info.model}@{self.info.number}"


def _row(column: Watched, is_group: bool) -> Spans:
    kind = "group" if is_group else column.kind
    middle = column.edges[len(column.edges) // 2] if len(column.edges) == _QUANTILES else None
    return [
        column.name, Span(kind, "warn" if is_group else "dim"), _range(column),
        "" if middle is None or column.kind != "number" else words.amount(middle),
        Span(_spread(column), "name"),
        words.percent(column.nulls) if column.nulls else Span("0", "dim"),
    ]  # fmt: skip


def _range(column: Watched) -> str:
    if column.kind == "vector":
        return f"{column.size:,} elements"
    if column.kind == "category":
        more = len(column.categories) - _NAMED
        named = ", ".join(column.categories[:_NAMED])
        return f"{named}, {more:,} more" if more > 0 else named or "no text twice"
    if column.low is None or column.high is None:
        return "no value at all"
    return f"{words.amount(column.low)} to {words.amount(column.high)}"


def _spread(column: Watched) -> str:
    """How the values lie between the lowest and the highest: from quantiles."""
    low, high = column.low, column.high
    if column.kind != "number" or len(column.edges) != _QUANTILES or low is None or high is None:
        return ""
    ends = [low, *column.edges, high]
    if not low < high < float("inf"):
        return ""
    cells = [0.0] * _CELLS
    for left, right in pairwise(ends):
        wide = max(right - left, 1e-300)
        for cell in range(_CELLS):
            begin = low + (high - low) * cell / _CELLS
            end = low + (high - low) * (cell + 1) / _CELLS
            cells[cell] += max(min(end, right) - max(begin, left), 0.0) / wide
    return spark(cells, cells=_CELLS)


def _predicts(info: ProfileInfo) -> Iterator[Block]:
    schema = info.schema
    yield ""
    if schema.classes:
        more = len(schema.classes) - 12
        named = ", ".join(schema.classes[:12]) + (f", {more:,} more" if more > 0 else "")
        yield ["predicts ", Span(named, "name")]
    elif schema.values is not None:
        yield ["predicts a number, ", Span(_range(schema.values), "name")]
    else:
        yield Span("what it predicts is not watched: neither classes nor numbers", "dim")


def _measures(measures: Sequence[Measured]) -> Iterator[Block]:
    known = [each for each in measures if each.value is not None][:_MEASURES]
    if not known:
        yield Span("how right it is, is not known: --target COL", "dim")
        return
    yield ""
    columns = [Column("reference"), Column("value", right=True), Column("95 % interval")]
    yield Table(columns, [_measure(each) for each in known])


def _measure(each: Measured) -> Spans:
    name = each.name if each.label is None else f"{each.name} of {each.label}"
    value = Span(words.amount(each.value or 0.0), "bold")
    return [name, value, Span(_interval(each), "dim")]


def _interval(each: Measured) -> str:
    if each.low is None or each.high is None:
        return ""
    return f"{words.amount(each.low)} to {words.amount(each.high)}"
