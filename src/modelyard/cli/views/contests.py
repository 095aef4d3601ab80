"""Views of a comparison and of a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Spans, Table
from modelyard.cli.views import words
from modelyard.cli.views.evaluations import interval, milliseconds
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.evaluation import Choice, Comparison, Evaluation, Excluded, Pair

__all__ = ["ChoiceView", "ComparisonView"]

_RANKS = 10
_EXCLUDED = 10


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Versions side by side: a row for each metric."""

    comparison: Comparison

    def json(self) -> object:
        return self.comparison

    def lines(self) -> Iterator[Block]:
        found = self.comparison
        yield [Span(found.model, "bold"), f" on {found.data} ",
               Span(found.data_digest[:12], "dim")]  # fmt: skip
        yield ""
        yield Table(
            [Column("metric"), *(Column(str(e.number), right=True) for e in found.evaluations)],
            list(self._rows()),
        )
        yield ""
        for pair in found.pairs:
            yield [Span(f"{pair.a} and {pair.b}: ", "bold"), pair.verdict, *_range(pair)]
        yield Span(found.sentence, "good" if all(p.significant for p in found.pairs) else "warn")

    def ids(self) -> Iterator[str]:
        tied = [pair.b for pair in self.comparison.pairs if not pair.significant]
        yield from (f"{self.comparison.model}@{n}" for n in (self.comparison.leader, *tied))

    def _rows(self) -> Iterator[Spans]:
        found = self.comparison
        names = dict.fromkeys(m.name for e in found.evaluations for m in e.measures)
        for name in names:
            style = "bold" if name == found.metric else ""
            yield [Span(name, style), *(Span(_value(e, name), style) for e in found.evaluations)]
        yield ["size", *(human_size(e.size) if e.size else "-" for e in found.evaluations)]
        yield ["latency p50", *(_latency(e) for e in found.evaluations)]


def _value(evaluation: Evaluation, name: str) -> str:
    measure = evaluation.measure(name)
    return "-" if measure is None else words.amount(measure.value)


def _latency(evaluation: Evaluation) -> str:
    return "-" if evaluation.latency is None else milliseconds(evaluation.latency.p50)


def _range(pair: Pair) -> Spans:
    if pair.low is None or pair.high is None:
        return []
    text = f"{words.signed(pair.low)} to {words.signed(pair.high)}"
    return [Span(f"  {pair.metric} {text}", "dim")]


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """The best version, those that tie with it, and why others could not be chosen."""

    choice: Choice

    def json(self) -> object:
        return self.choice

    def lines(self) -> Iterator[Block]:
        found = self.choice
        yield Span(found.sentence, "good" if found.winner is not None else "warn")
        yield ""
        columns = [Column("version", right=True), Column(found.metric, right=True),
                   Column("95 % interval"), Column()]  # fmt: skip
        yield Table(columns, [self._rank(n) for n in range(min(len(found.ranking), _RANKS))])
        if left := max(len(found.ranking) - _RANKS, 0):
            yield Span(f"... and {left:,} more: --json", "dim")
        yield from _excluded(found.excluded)

    def ids(self) -> Iterator[str]:
        """The winner; in a tie all that tie, the leader first."""
        found = self.choice
        yield from (f"{found.model}@{number}" for number in (found.leader, *found.tied))

    def _rank(self, place: int) -> Spans:
        number, measure = self.choice.ranking[place]
        word = "best" if number == self.choice.winner else ""
        if self.choice.tied and number in (self.choice.leader, *self.choice.tied):
            word = "tied"
        mark = Span(word, "good" if word == "best" else "warn")
        value, low_high = words.amount(measure.value), Span(interval(measure), "dim")
        return [Span(str(number), "bold"), value, low_high, mark]


def _excluded(excluded: Sequence[Excluded]) -> Iterator[Block]:
    if not excluded:
        return
    yield ""
    rows: list[Spans] = [[str(each.number), each.reason] for each in excluded[:_EXCLUDED]]
    yield Table([Column("not chosen", right=True), Column("because", flexible=True)], rows)
    if left := max(len(excluded) - _EXCLUDED, 0):
        yield Span(f"... and {left:,} more: --json", "dim")
