"""What a candidate was proved to be: before and after, with intervals and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Spans, Table
from modelyard.cli.views import words
from modelyard.cli.views.trials import metric_text, times
from modelyard.core.optimization import COSTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.optimization import Candidate, Optimization, Verdict

__all__ = ["candidate_blocks"]


def candidate_blocks(found: Optimization, candidate: Candidate) -> Iterator[Block]:
    """One of them: what was proved, and what else was measured."""
    name = f"{found.model}@{candidate.version}" if candidate.version else "not published"
    mark = Span("  chosen", "good") if candidate.chosen else Span("")
    yield [Span(name, "bold" if candidate.version else "warn"), f"  trial {candidate.trial}", mark]
    if candidate.sentence and candidate.version is None:
        yield Span(f"  {candidate.sentence}", "warn")
    columns = [Column("proved"), Column("before", right=True), Column("after", right=True),
               Column("difference", right=True), Column("95 % interval"),
               Column("verdict", flexible=True)]  # fmt: skip
    if candidate.verdicts:
        yield Table(columns, [_verdict(each) for each in candidate.verdicts], indent=2)
    proved = {each.about.split()[0] for each in candidate.verdicts}
    after = {each.name: each for each in candidate.after}
    rows: list[Spans] = []
    for measure in candidate.before:
        other = after.get(measure.name)
        if other is None or measure.name in proved:
            continue
        between = f"{_between(other.low, other.high)}" if other.low is not None else ""
        rows.append([
            measure.name, metric_text(measure.name, measure.value),
            Span(metric_text(measure.name, other.value), "bold"), Span(between, "dim"),
        ])  # fmt: skip
    if rows:
        yield Table(
            [Column("measured"), Column("before", right=True), Column("after", right=True),
             Column("95 % interval")],
            rows, indent=2,
        )  # fmt: skip


def _verdict(verdict: Verdict) -> Spans:
    """A goal or a constraint; of a constraint, the difference is what it is about."""
    is_constraint = "=" in verdict.about
    name = verdict.about.replace("<", " ").replace(">", " ").split()[0]
    base = name.removesuffix("_drop").removesuffix("_ratio")
    style = "bad" if verdict.worse else "good" if verdict.holds else "warn"
    if is_constraint:
        style = "good" if verdict.holds else "bad"
    word = verdict.sentence or ("worse" if verdict.worse else "holds" if verdict.holds else "no")
    difference = "" if is_constraint else _difference(base, verdict.difference)
    return [
        verdict.about, metric_text(base, verdict.before), metric_text(base, verdict.after),
        Span(difference, style), Span(_interval(base, verdict), "dim"), Span(word, style),
    ]  # fmt: skip


def _interval(name: str, verdict: Verdict) -> str:
    """Of what was measured; what was counted has none."""
    low, high = verdict.low, verdict.high
    if low is None or high is None or (name in COSTS and low == high):
        return ""
    if name in COSTS:
        first, last = (low, high) if low > 1 else (high, low)  # the smaller factor first
        return f"{times(first)} to {times(last)}"
    return _between(low, high)


def _difference(name: str, value: float | None) -> str:
    """Of costs, how many times smaller or larger; of metrics, how much more or less."""
    if value is None:
        return ""
    if name not in COSTS:
        return words.signed(value)
    return times(value)


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f"{words.amount(low)} to {words.amount(high)}"
