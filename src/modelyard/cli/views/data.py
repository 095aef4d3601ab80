"""The view of data: what is in its columns, and what should be known before learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelyard.cli.text import Block, Column, Span, Spans, Table, bar, spark
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.optimization.data_facts import ColumnFacts, DataFacts, TargetFacts

__all__ = ["DataView"]

_FIRST: Final = 40
_CLASSES: Final = 12
_DOUBTS: Final = 8
_NAMED: Final = 3
_CELLS: Final = 12
_LONG: Final = 20
_SIGNS: Final = {"bad": Span("!!", "bad"), "warn": Span("! ", "warn"), "note": Span("- ", "dim")}


@dataclass(frozen=True, slots=True)
class DataView:
    """What a look at data found."""

    facts: DataFacts

    def json(self) -> object:
        return self.facts

    def lines(self) -> Iterator[Block]:
        facts = self.facts
        size = f"{words.count(facts.rows, 'row')}, {words.count(len(facts.columns), 'input')}"
        yield [Span(facts.name, "bold"), f"  {size}"]
        if facts.findings:
            yield ""
            for each in facts.findings:
                yield [_SIGNS[each.weight], " ", each.sentence, *_helped(each.passes)]
        if facts.target is not None:
            yield ""
            yield from _target(facts.target)
        yield ""
        yield from _columns(facts)
        if facts.doubts:
            yield ""
            yield from _doubts(facts)

    def ids(self) -> Iterator[str]:
        yield from (each.name for each in self.facts.columns)


def _helped(passes: tuple[str, ...]) -> Spans:
    return [Span(f"  ({', '.join(passes)})", "name")] if passes else []


def _target(target: TargetFacts) -> Iterator[Block]:
    if not target.classes:
        yield [
            Span(target.name, "bold"), " is predicted: ",
            f"{words.amount(target.least or 0)} to {words.amount(target.most or 0)}, median ",
            f"{words.amount(target.median or 0)}  ",
            Span(spark(target.spread, cells=_CELLS), "name"),
        ]  # fmt: skip
        return
    classes = "1 class" if len(target.classes) == 1 else f"{len(target.classes):,} classes"
    yield [Span(target.name, "bold"), f" is predicted: {classes}"]
    total = sum(count for _, count in target.classes)
    rows: list[Spans] = [
        [Span(name, "name"), f"{count:,}", Span(bar(count / total), "good"),
         words.percent(count / total)]
        for name, count in target.classes[:_CLASSES]
    ]  # fmt: skip
    columns = [Column("", flexible=True), Column("", right=True), Column(), Column("", right=True)]
    yield Table(columns, rows, indent=2)
    if (left := len(target.classes) - _CLASSES) > 0:
        yield Span(f"  ... and {left:,} more: --json", "dim")


def _columns(facts: DataFacts) -> Iterator[Block]:
    told = any(each.skill is not None for each in facts.columns)
    shown = facts.columns
    if told:  # what tells most of the target first
        shown = tuple(sorted(shown, key=lambda each: -(each.skill or 0.0)))
    columns = [
        Column("inputs", flexible=True), Column("kind"), Column("missing", right=True),
        Column("values"), Column("median", right=True), Column("spread"),
        *([Column("tells alone", right=True), Column()] if told else []),
    ]  # fmt: skip
    yield Table(columns, [_row(each, told) for each in shown[:_FIRST]])
    if (left := len(shown) - _FIRST) > 0:
        yield Span(f"... and {left:,} more: --json", "dim")


def _row(each: ColumnFacts, told: bool) -> Spans:
    cells: Spans = [
        each.name, Span(each.kind, "dim"),
        words.percent(each.missing) if each.missing else Span("0", "dim"),
        _values(each),
        "" if each.median is None or each.kind != "number" else words.amount(each.median),
        Span(spark(each.spread, cells=_CELLS), "name") if each.kind == "number" else "",
    ]  # fmt: skip
    if told:
        skill = each.skill or 0.0
        cells.append(words.percent(skill) if each.skill else Span("0", "dim"))
        cells.append(Span(bar(skill), "bad" if skill > 0.97 else "good"))
    return cells


def _values(each: ColumnFacts) -> str:
    if each.kind in ("category", "flag") and each.common and not each.is_identifier:
        named = ", ".join(f"{_cut(n)} {words.percent(share)}" for n, share in each.common[:_NAMED])
        more = each.distinct - min(_NAMED, len(each.common))
        return f"{named}, {more:,} more" if more > 0 else named
    if each.least is not None and each.most is not None:
        return f"{words.amount(each.least)} to {words.amount(each.most)}"
    return f"{each.distinct:,} different" if each.distinct != 1 else "one value"


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


def _doubts(facts: DataFacts) -> Iterator[Block]:
    yield "labels that are likely to be wrong, the likeliest first"
    columns = [
        Column("row", right=True), Column("label"), Column("more likely"),
        Column("by", right=True),
    ]  # fmt: skip
    yield Table(columns, [
        [f"{each.row:,}", Span(each.label, "warn"), Span(each.instead, "good"),
         words.percent(each.margin)]
        for each in facts.doubts[:_DOUBTS]
    ])  # fmt: skip
    if (left := len(facts.doubts) - _DOUBTS) > 0:
        yield Span(f"... and {left:,} more: --json", "dim")
