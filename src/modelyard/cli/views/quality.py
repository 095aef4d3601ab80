"""How right a version is, and whether it is fair: parts of `yard monitor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.cli.text import Column, Span, Table
from modelyard.cli.views import words
from modelyard.cli.views.fleet import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.cli.text import Block, Line, Spans
    from modelyard.core.monitoring import GroupGap, Measured, VersionMonitor

__all__ = ["fairness", "measures", "part"]

_GAPS = 8


def part(name: str, text: str | Spans) -> Line:
    """One line about a version."""
    return words.fact(f"  {name:<9}", text)


def measures(one: VersionMonitor) -> Iterator[Block]:
    """What the truth says, what can be told without it, and what it was."""
    realized, estimated = _by_name(one.realized), _by_name(one.estimated)
    names = dict.fromkeys([*realized, *estimated])
    if not names:
        return
    lag = "" if one.label_lag is None else f", {seconds(one.label_lag)} after their answers"
    yield part("quality", f"truth of {words.count(one.labelled, 'row')}{lag}")
    columns = [Column("measure"), Column("realized"), Column("estimated"),
               Column("reference", right=True), Column(flexible=True)]  # fmt: skip
    yield Table(
        columns, [_measure(name, realized.get(name), estimated.get(name)) for name in names],
        indent=4,
    )  # fmt: skip


def _by_name(measures: Sequence[Measured]) -> dict[str, Measured]:
    """Those that are known; of single classes only where one is all that is told of."""
    known = [each for each in measures if each.value is not None]
    single = len({each.label for each in known if each.label is not None}) == 1
    return {
        each.name if each.label is None else f"{each.name} of {each.label}": each
        for each in known
        if each.label is None or single
    }


def _measure(name: str, real: Measured | None, guess: Measured | None) -> Spans:
    references = [each.reference for each in (real, guess) if each and each.reference is not None]
    why = next((each.reason for each in (real, guess) if each and not each.valid and each.reason),
               "")  # fmt: skip
    return [
        name, Span(_valued(real), _away(real)), Span(_valued(guess), _away(guess)),
        words.amount(references[0]) if references else "-", Span(why or "", "dim"),
    ]  # fmt: skip


def _valued(one: Measured | None) -> str:
    if one is None or one.value is None:
        return "-"
    sure = "" if one.low is None or one.high is None else (
        f" ({words.amount(one.low)} to {words.amount(one.high)})"
    )  # fmt: skip
    return f"{words.amount(one.value)}{sure}{'' if one.valid else ' ?'}"


def _away(one: Measured | None) -> str:
    """Marked where the reference lies outside of the interval."""
    if one is None or not one.valid:
        return "" if one is None else "dim"
    if one.low is None or one.high is None or one.reference is None:
        return ""
    return "" if one.low <= one.reference <= one.high else "warn"


def fairness(gaps: Sequence[GroupGap]) -> Iterator[Block]:
    """How differently groups are treated; what is too wide comes first."""
    told = [gap for gap in gaps if gap.value is not None]
    if not told:
        return
    failing = sum(gap.fails for gap in told)
    yield part("fairness", f"{failing} of {words.count(len(told), 'gap')} too wide")
    rows: list[Spans] = [
        [
            gap.metric, gap.column, Span(words.amount(gap.value or 0.0), "bad" * gap.fails),
            f"worst {gap.worst}, best {gap.best}" if gap.worst is not None else "",
            Span("too wide" if gap.fails else "", "bad"),
            Span("estimated" if gap.estimated else "", "dim"),
        ]
        for gap in sorted(told, key=lambda gap: not gap.fails)[:_GAPS]
    ]  # fmt: skip
    columns = [Column(), Column(), Column(right=True), Column(flexible=True), Column(), Column()]
    yield Table(columns, rows, indent=4)
