"""One deployment as it runs: alerts first, then each version, and what was out of the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Column, Span, Table, bar, spark
from modelyard.cli.views import words
from modelyard.cli.views.fleet import VERDICTS, seconds
from modelyard.cli.views.quality import fairness, measures, part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from modelyard.cli.text import Block, Line, Spans
    from modelyard.core.monitoring import (
        Alert,
        Anomaly,
        Drift,
        Monitor,
        Series,
        VersionMonitor,
    )

__all__ = ["MonitorView"]

_SEVERITIES = {"critical": "bad", "warning": "warn", "info": "dim"}
_COLUMNS, _ALERTS, _ANOMALIES = 8, 8, 8
_BAR = 12
_FULL = 3.0
"""Times the threshold that fills a bar of drift."""


@dataclass(frozen=True, slots=True)
class MonitorView:
    """All that is known of a deployment in a window."""

    monitor: Monitor
    series: Sequence[Series] = ()
    everything: bool = False
    """All columns, not only the worst."""

    def json(self) -> object:
        return self.monitor

    def lines(self) -> Iterator[Block]:
        one = self.monitor
        yield [
            Span(one.deployment, "bold"), ", ", Span(one.verdict, VERDICTS.get(one.verdict, "")),
            Span(f", {_span(one.since, one.until)}", "dim"),
        ]  # fmt: skip
        yield from _alerts([alert for alert in one.alerts if alert.state == "firing"])
        former = [] if self.everything else [v for v in one.versions if _is_former(v)]
        for version in one.versions:
            if version not in former:
                yield ""
                yield from self._version(version)
        if former:
            yield ""
            told = ", ".join(f"{each.model}@{each.number}" for each in former)
            yield Span(f"served before in this window: {told}; --all shows it", "dim")
        yield from _anomalies(one.anomalies)
        if one.dropped:
            yield Span(f"{one.dropped:,} rows came too fast to be looked at", "dim")

    def ids(self) -> Iterator[str]:
        yield f"{self.monitor.deployment} {self.monitor.verdict}"

    def _version(self, one: VersionMonitor) -> Iterator[Block]:
        share = "shadow" if one.shadow else f"{one.percent:g} %"
        yield [Span(f"{one.model}@{one.number}", "name"), f"  {share}"]
        lines = {each.name: each for each in self.series if self._is_of(each, one)}
        yield from _performance(one, lines)
        yield from measures(one)
        yield from self._drift(one)
        yield from fairness(one.fairness)
        for note in one.notes:
            yield part("note", note)

    def _is_of(self, each: Series, one: VersionMonitor) -> bool:
        """Of a deployment with one version there are only numbers of all."""
        alone = len(self.monitor.versions) == 1
        return each.number == one.number or (alone and each.number is None)

    def _drift(self, one: VersionMonitor) -> Iterator[Block]:
        if one.reference is None:
            yield part(
                "drift", f"nothing to compare with: yard profile {one.model}@{one.number} --data"
            )
            return
        source = {"traffic": "its first requests", "evaluation": "its evaluation"}.get(
            one.reference.source, one.reference.data or "its data"
        )
        telling = [each for each in one.drift if each.reason is None]
        mute = len(one.drift) - len(telling)
        moved, maybe = (sum(map(by, telling)) for by in (_has_drifted, _may_drift))
        told = f"{moved} of {words.count(len(telling), 'column')} drifted" if telling else "unknown"
        told += f", {maybe} suspected" if maybe else ""
        why = f" ({one.drift[0].reason})" if one.drift and not telling else ""
        yield part("drift", [f"{told}{why}", Span(f", compared with {source}", "dim")])
        shown = telling if self.everything else telling[:_COLUMNS]
        if shown:
            yield Table(
                [Column(flexible=True), Column(), Column(right=True), Column(), Column(),
                 Column(flexible=True)],
                [_moved(each, _others(one, each.column)) for each in shown], indent=4,
            )  # fmt: skip
        left = len(telling) - len(shown)
        if left:
            yield Span(f"    and {left:,} more: --all", "dim")
        if mute and telling:
            yield Span(f"    {words.count(mute, 'column')} can't be told yet", "dim")


def _is_former(one: VersionMonitor) -> bool:
    """Whether it gets no requests any more."""
    return one.percent == 0 and not one.shadow


def _span(since: datetime, until: datetime) -> str:
    first, last = since.astimezone(), until.astimezone()
    end = last.strftime("%H:%M" if first.date() == last.date() else "%Y-%m-%d %H:%M")
    return f"{words.minute(since)} to {end}"


def _alerts(alerts: Sequence[Alert]) -> Iterator[Block]:
    if not alerts:
        return
    rows: list[Spans] = [
        [
            Span(alert.severity, _SEVERITIES.get(alert.severity, "")), Span(alert.rule, "bold"),
            f"{alert.words}{f' ({alert.subject})' if alert.subject else ''}",
            Span(f"since {words.minute(alert.since)}{', silenced' * alert.silenced}", "dim"),
        ]
        for alert in alerts[:_ALERTS]
    ]  # fmt: skip
    yield Table([Column(), Column(), Column(flexible=True), Column()], rows, indent=2)


def _performance(one: VersionMonitor, lines: Mapping[str, Series]) -> Iterator[Line]:
    how = one.performance
    if not how.requests:
        yield part("requests", "none in this window")
        return
    errors: list[str | Span] = []
    if how.errors:
        share = words.percent(how.errors / how.requests)
        errors += [", ", Span(f"{words.count(how.errors, 'error')} ({share})", "bad")]
    if how.rejected:
        errors += [", ", Span(f"{how.rejected:,} rejected", "warn")]
    rows = "" if how.rows == how.requests else f" with {words.count(how.rows, 'row')}"
    told = f"{words.amount(how.rate)}/s, {how.requests:,} in all{rows}"
    yield part("requests", [*_drawn(lines, "requests"), told, *errors])
    if how.p50 is not None:
        told = f"p50 {seconds(how.p50)}, p95 {seconds(how.p95)}, p99 {seconds(how.p99)}"
        yield part("latency", [*_drawn(lines, "latency_p99"), told])
    parts = [f"{name} {seconds(p50)}" for name, (p50, _, _) in how.phases.items() if p50]
    more = [f"{words.amount(how.batch)} rows together"] if how.batch and how.batch > 1 else []
    if how.saturation >= 0.1:
        more.append(f"{words.percent(how.saturation)} of the time in queues")
    if how.cold_starts:
        more.append(words.count(how.cold_starts, "cold start"))
    if parts or more:
        yield part("phases", [", ".join(parts + more)])


def _drawn(lines: Mapping[str, Series], name: str) -> list[str | Span]:
    found = lines.get(name)
    return [] if found is None or len(found.values) < 2 else [f"{spark(found.values)}  "]


def _has_drifted(each: Drift) -> bool:
    return each.drifted


def _may_drift(each: Drift) -> bool:
    return each.suspected and not each.drifted


def _others(one: VersionMonitor, column: str) -> Mapping[str, int]:
    """Texts that came often and are none of the column's categories."""
    found = next((each for each in one.columns if each.column.name == column), None)
    return {} if found is None else found.others


def _moved(each: Drift, others: Mapping[str, int]) -> Spans:
    style = "bad" if each.drifted else "warn" if each.suspected else "dim"
    state = "drifted" if each.drifted else "suspected" if each.suspected else ""
    scores = ", ".join(f"{score.test} {score.value:.3g}" for score in each.scores[:3])
    broken = ", ".join(f"{number:,} {name}" for name, number in each.violations.items() if number)
    if others and "unknown-category" in each.violations:
        broken += f" ({', '.join(f'{text} {count:,}' for text, count in others.items())})"
    return [
        each.column, Span(bar(each.score / _FULL, cells=_BAR), style), f"{each.score:.3g}",
        Span(state, style), Span(scores, "dim"), Span(broken, "warn"),
    ]  # fmt: skip


def _anomalies(anomalies: Sequence[Anomaly]) -> Iterator[Block]:
    if not anomalies:
        return
    yield ""
    rows: list[Spans] = [
        [
            words.minute(each.time), Span(each.severity, _SEVERITIES.get(each.severity, "")),
            Span(each.kind, "bold"),
            f"{each.words}{f' ({each.count:,} times)' if each.count > 1 else ''}",
        ]
        for each in anomalies[:_ANOMALIES]
    ]  # fmt: skip
    columns = [Column("anomalies"), Column(), Column(), Column(flexible=True)]
    yield Table(columns, rows)
    if len(anomalies) > _ANOMALIES:
        yield Span(f"and {len(anomalies) - _ANOMALIES:,} more", "dim")
