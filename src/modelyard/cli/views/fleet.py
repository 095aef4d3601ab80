"""All deployments beside each other, and what became of feedback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Column, Span, Table, spark
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.cli.text import Block, Spans
    from modelyard.core.monitoring import FeedbackSummary, Overview

__all__ = ["VERDICTS", "FeedbackView", "FleetView", "seconds"]

VERDICTS = {"critical": "bad", "warning": "warn", "fine": "good", "quiet": "dim"}
_CELLS = 16


@dataclass(frozen=True, slots=True)
class FleetView:
    """All deployments, worst first."""

    fleet: Sequence[Overview]

    def json(self) -> object:
        return {"items": list(self.fleet)}

    def lines(self) -> Iterator[Block]:
        if not self.fleet:
            yield "no deployments"
            return
        columns = [
            Column("deployment"), Column("verdict"), Column("serves", flexible=True),
            Column("requests/s", right=True), Column(), Column("errors", right=True),
            Column("p99", right=True), Column("drifted", right=True),
            Column("accuracy", right=True), Column("alerts", right=True),
            Column("anomalies", right=True),
        ]  # fmt: skip
        yield Table(columns, [_row(each) for each in self.fleet])
        if any(each.accuracy_estimated and each.accuracy is not None for each in self.fleet):
            yield Span("~ estimated without truth, from the model's own scores", "dim")

    def ids(self) -> Iterator[str]:
        return (each.deployment for each in self.fleet)


def seconds(value: float | None) -> str:
    """`420 us`, `1.2 ms`, `3.4 s`, `12 min`, `5 h`, `3 d`."""
    if value is None:
        return "-"
    for most, unit, of in (
        (0.0009995, "us", 1e6), (0.9995, "ms", 1e3), (119.5, "s", 1.0), (7170.0, "min", 1 / 60),
        (172_000.0, "h", 1 / 3600),
    ):  # fmt: skip
        if value < most:
            return f"{value * of:.3g} {unit}"
    return f"{value / 86_400:.3g} d"


def _row(each: Overview) -> Spans:
    about = "~" if each.accuracy_estimated else ""
    return [
        Span(each.deployment, "bold"), Span(each.verdict, VERDICTS.get(each.verdict, "")),
        ", ".join(each.models), words.amount(each.rate), spark(each.rates, cells=_CELLS),
        Span(words.percent(each.error_rate) if each.error_rate else "0", _bad(each.error_rate)),
        seconds(each.p99), _some(each.drifted, "warn"),
        "-" if each.accuracy is None else f"{about}{each.accuracy:.3f}",
        _some(each.alerts, "bad"), _some(each.anomalies, "warn"),
    ]  # fmt: skip


def _bad(rate: float) -> str:
    return "bad" if rate >= 0.01 else ""


def _some(number: int, style: str) -> Span:
    return Span(str(number), style if number else "dim")


@dataclass(frozen=True, slots=True)
class FeedbackView:
    """What became of truths."""

    deployment: str
    summary: FeedbackSummary

    def json(self) -> object:
        return self.summary

    def lines(self) -> Iterator[Block]:
        told = self.summary
        yield [Span(f"{told.joined:,}", "bold"), f" joined with answers of {self.deployment}"]
        rows: list[Spans] = [
            [f"{number:,}", name, Span(why, "dim")]
            for number, name, why in (
                (told.duplicate, "known already", "the same truth again changes nothing"),
                (told.conflicting, "conflicting", "another truth was told before, which counts"),
                (told.late, "late", "their answers are not kept any more"),
                (told.unknown, "unknown", "no such request yet; kept for an hour"),
            )
            if number
        ]
        if rows:
            yield Table([Column(right=True), Column(), Column(flexible=True)], rows, indent=2)
        for problem in told.problems:
            yield [Span("  ! ", "warn"), problem]

    def ids(self) -> Iterator[str]:
        yield str(self.summary.joined)
