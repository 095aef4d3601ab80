"""One deployment as it runs: alerts first, then each version, and what was out of the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Column, Span, Table, bar, spark
from modelyard.cli.views import words
from modelyard.cli.views.fleet import VERDICTS, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from modelyard.cli.text import Block, Line, Spans
    from modelyard.core.monitoring import (
        Alert,
        Anomaly,
        Drift,
        GroupGap,
        Measured,
        Monitor,
        Series,
        VersionMonitor,
    )

__all__ = ["MonitorView"]

_SEVERITIES = {"critical": "bad", "warning": "warn", "info": "dim"}
_COLUMNS, _ALERTS, _ANOMALIES, _GAPS = 8, 8, 8, 8
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
        for version in one.versions:
            yield ""
            yield from self._version(version)
        yield from _anomalies(one.anomalies)
        if one.dropped:
            yield Span(f"{one.dropped:,} rows came too fast to be looked at", "dim")

    def ids(self) -> Iterator[str]:
        yield f"{self.monitor.deployment} {self.monitor.verdict}"

    def _version(self, one: VersionMonitor) -> Iterator[Block]:
        part = "shadow" if one.shadow else f"{one.percent:g} %"
        yield [Span(f"{one.model}@{one.number}", "name"), f"  {part}"]
        lines = {each.name: each for each in self.series if self._is_of(each, one)}
        yield from _performance(one, lines)
        yield from _measures(one)
        yield from self._drift(one)
        yield from _fairness(one.fairness)
        for note in one.notes:
            yield _fact("note", note)

    def _is_of(self, each: Series, one: VersionMonitor) -> bool:
        """Of a deployment with one version there are only numbers of all."""
        alone = len(self.monitor.versions) == 1
        return each.number == one.number or (alone and each.number is None)

    def _drift(self, one: VersionMonitor) -> Iterator[Block]:
        if one.reference is None:
            yield _fact(
                "drift", f"nothing to compare with: yard profile {one.model}@{one.number} --data"
            )
            return
        source = {"traffic": "its first requests", "evaluation": "its evaluation"}.get(
            one.reference.source, one.reference.data or "its data"
        )
        telling = [each for each in one.drift if each.reason is None]
        mute = len(one.drift) - len(telling)
        moved = sum(each.drifted for each in telling)
        told = f"{moved} of {words.count(len(telling), 'column')} drifted" if telling else "unknown"
        why = f" ({one.drift[0].reason})" if one.drift and not telling else ""
        yield _fact("drift", [f"{told}{why}", Span(f", compared with {source}", "dim")])
        shown = telling if self.everything else telling[:_COLUMNS]
        if shown:
            yield Table(
                [Column(flexible=True), Column(), Column(right=True), Column(), Column(),
                 Column(flexible=True)],
                [_moved(each) for each in shown], indent=4,
            )  # fmt: skip
        left = len(telling) - len(shown)
        if left:
            yield Span(f"    and {left:,} more: --all", "dim")
        if mute and telling:
            yield Span(f"    {words.count(mute, 'column')} can't be told yet", "dim")


def _fact(name: str, text: str | Spans) -> Line:
    return words.fact(f"  {name:<9}", text)


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
        yield _fact("requests", "none in this window")
        return
    errors: list[str | Span] = []
    if how.errors:
        share = words.percent(how.errors / how.requests)
        errors += [", ", Span(f"{words.count(how.errors, 'error')} ({share})", "bad")]
    if how.rejected:
        errors += [", ", Span(f"{how.rejected:,} rejected", "warn")]
    yield _fact(
        "requests",
        [*_drawn(lines, "requests"), f"{words.amount(how.rate)}/s, {how.requests:,} in all",
         *errors],
    )  # fmt: skip
    if how.p50 is not None:
        told = f"p50 {seconds(how.p50)}, p95 {seconds(how.p95)}, p99 {seconds(how.p99)}"
        yield _fact("latency", [*_drawn(lines, "latency_p99"), told])
    parts = [f"{name} {seconds(p50)}" for name, (p50, _, _) in how.phases.items() if p50]
    more = [f"{words.amount(how.batch)} rows together"] if how.batch and how.batch > 1 else []
    if how.saturation >= 0.1:
        more.append(f"{words.percent(how.saturation)} of the time in queues")
    if how.cold_starts:
        more.append(words.count(how.cold_starts, "cold start"))
    if parts or more:
        yield _fact("phases", [", ".join(parts + more)])


def _drawn(lines: Mapping[str, Series], name: str) -> list[str | Span]:
    found = lines.get(name)
    return [] if found is None or len(found.values) < 2 else [f"{spark(found.values)}  "]


def _measures(one: VersionMonitor) -> Iterator[Block]:
    realized = {each.name: each for each in one.realized if each.label is None}
    estimated = {each.name: each for each in one.estimated if each.label is None}
    names = [
        name
        for name in dict.fromkeys([*realized, *estimated])
        if any(told.get(name) and told[name].value is not None for told in (realized, estimated))
    ]
    if not names:
        return
    lag = "" if one.label_lag is None else f", {seconds(one.label_lag)} after their answers"
    yield _fact("quality", f"truth of {words.count(one.labelled, 'row')}{lag}")
    columns = [Column("measure"), Column("realized"), Column("estimated"),
               Column("reference", right=True), Column(flexible=True)]  # fmt: skip
    yield Table(
        columns, [_measure(name, realized.get(name), estimated.get(name)) for name in names],
        indent=4,
    )  # fmt: skip


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


def _moved(each: Drift) -> Spans:
    style = "bad" if each.drifted else "warn" if each.suspected else "dim"
    state = "drifted" if each.drifted else "suspected" if each.suspected else ""
    scores = ", ".join(f"{score.test} {score.value:.3g}" for score in each.scores[:3])
    broken = ", ".join(f"{number:,} {name}" for name, number in each.violations.items() if number)
    return [
        each.column, Span(bar(each.score / _FULL, cells=_BAR), style), f"{each.score:.3g}",
        Span(state, style), Span(scores, "dim"), Span(broken, "warn"),
    ]  # fmt: skip


def _fairness(gaps: Sequence[GroupGap]) -> Iterator[Block]:
    told = [gap for gap in gaps if gap.value is not None]
    if not told:
        return
    failing = sum(gap.fails for gap in told)
    yield _fact("fairness", f"{failing} of {words.count(len(told), 'gap')} too wide")
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
