"""A deployment's monitoring as pages show it: windows of time, charts, versions side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from modelyard.core.monitoring import (
    Alert,
    ColumnWindow,
    Drift,
    Measured,
    Monitor,
    Series,
    VersionMonitor,
)
from modelyard.errors import InvalidInput, NotFound
from modelyard.monitoring.alerts.rules import quantity
from modelyard.monitoring.alerts.signals import SIGNALS
from modelyard.monitoring.opening import watch

if TYPE_CHECKING:
    from modelyard.core.deployment import DeploymentChange, DeploymentSpec
    from modelyard.core.watching import Monitoring
    from modelyard.server.state import Ask

__all__ = [
    "SERIES", "WINDOWS", "AlertLine", "Chart", "Feature", "Happened", "Line", "Quality", "Step",
    "Watched", "Window", "alert_lines", "charts_of", "chosen", "features_of", "happened",
    "monitoring_of", "qualities_of", "steps_of", "versions_of", "window_of",
]  # fmt: skip

WINDOWS: Final = {
    "15m": 900, "1h": 3600, "6h": 21_600, "1d": 86_400, "7d": 604_800, "30d": 2_592_000,
}  # fmt: skip
"""Seconds of the windows that can be chosen by name."""
_LEAST, _MOST = 60.0, 400 * 86_400.0
_LATER: Final = 253_000_000_000.0
"""Seconds since 1970 that a date can hold."""

SERIES: Final = {
    "rate": ("requests",),
    "latency": ("latency_p50", "latency_p95", "latency_p99"),
    "errors": ("error_rate", "rejected_rate"),
    "saturation": ("saturation",),
    "accuracy": ("accuracy", "estimated_accuracy"),
    "drift": ("drift_score",),
}
"""Names of the series of each chart."""
_ALONE: Final = {
    "rate": "requests", "latency": "latency_p99", "errors": "error_rate",
    "saturation": "saturation",
}  # fmt: skip
"""What a chart shows of each version, when they are set against each other."""
_KINDS: Final = {
    "requests": "a", "latency_p50": "a", "latency_p95": "b", "latency_p99": "c",
    "error_rate": "bad", "rejected_rate": "warn", "saturation": "a", "accuracy": "a",
    "estimated_accuracy": "c", "drift_score": "b",
}  # fmt: skip

Kind = Literal["stable", "canary", "shadow", "former"]


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert as people read it."""

    alert: Alert
    value: str
    """With its unit: `12 %`; empty if there is none."""
    limit: str


@dataclass(frozen=True, slots=True)
class Window:
    """The span of time that is looked at."""

    name: str
    """A key of `WINDOWS`; empty if it was chosen in a chart."""
    since: datetime
    until: datetime

    @property
    def is_live(self) -> bool:
        """Whether it ends now, and goes on by itself."""
        return bool(self.name)

    @property
    def wider(self) -> tuple[int, int]:
        """Seconds since 1970 of one twice as long around it, which does not reach beyond now."""
        half = (self.until - self.since) / 2
        until = min(self.until + half, datetime.now(UTC))
        return int((until - 4 * half).timestamp()), int(until.timestamp())


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    """Of the series."""
    number: int | None
    """The version; None: all together."""
    kind: str
    """How it is coloured."""
    times: tuple[float, ...]
    values: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()

    @property
    def last(self) -> float | None:
        """What is known last."""
        return next((value for value in reversed(self.values) if value is not None), None)


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines of one scale."""

    name: str
    """A key of `SERIES`."""
    lines: tuple[Line, ...]

    @property
    def unit(self) -> str:
        """How its values are told."""
        return {"rate": "1/s", "latency": "s", "drift": "1"}.get(self.name, "%")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of time in a table: values of all lines."""

    time: datetime
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """A change of the deployment within the window."""

    time: float
    """Seconds since 1970."""
    action: str
    generation: int
    who: str

    @property
    def when(self) -> datetime:
        """The same."""
        return datetime.fromtimestamp(self.time, UTC)


@dataclass(frozen=True, slots=True)
class Watched:
    """One version of the deployment."""

    name: str
    """`MODEL@NUMBER`."""
    kind: Kind
    """`former` if it gets no requests any more."""
    seen: VersionMonitor

    @property
    def accuracy(self) -> float | None:
        """As the truth says."""
        return _of_all(self.seen.realized)

    @property
    def estimated(self) -> float | None:
        """As it is estimated without the truth."""
        return _of_all(self.seen.estimated)

    @property
    def drifted(self) -> int:
        """Columns."""
        return sum(one.drifted for one in self.seen.drift)


@dataclass(frozen=True, slots=True)
class Feature:
    """A column: how far it moved, and what is in it."""

    drift: Drift
    window: ColumnWindow | None
    """Its values now and in the reference; None where there is no picture of them."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One measure: what the truth says, what can be told without it, and what it was."""

    name: str
    label: str | None
    """The class it is of, where it is of one."""
    realized: Measured | None
    estimated: Measured | None
    reference: float | None


def monitoring_of(ask: Ask) -> Monitoring:
    """What may be asked on behalf of who asks."""
    return watch(ask.yard)


def window_of(name: str, since: float | None, until: float | None) -> Window:
    """Of an address: a named window that ends now, or one between two times.

    InvalidInput: `bad-window`.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    if since is None and until is None:
        if name not in WINDOWS:
            told = ", ".join(WINDOWS)
            raise InvalidInput("bad-window", f"no window is named {name[:20]}", hint=told)
        return Window(name, now - timedelta(seconds=WINDOWS[name]), now)
    end = now.timestamp() if until is None else until
    begin = end - 3600 if since is None else since
    if not (0 <= begin < end <= _LATER) or end - begin > _MOST:
        raise InvalidInput("bad-window", "a window begins before it ends, at most 400 days")
    begin = min(begin, end - _LEAST)
    return Window("", datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC))


def versions_of(monitor: Monitor, spec: DeploymentSpec) -> tuple[Watched, ...]:
    """The stable version first, then canaries, shadows, and those that were."""
    order: tuple[Kind, ...] = ("stable", "canary", "shadow", "former")
    found = [Watched(f"{one.model}@{one.number}", _kind(one, spec), one)
             for one in monitor.versions]  # fmt: skip
    return tuple(sorted(found, key=lambda one: order.index(one.kind)))


def chosen(versions: Sequence[Watched], name: str) -> Watched | None:
    """The version of that name; the first if none is named. NotFound: `no-version`."""
    if not name:
        return versions[0] if versions else None
    for one in versions:
        if one.name == name:
            return one
    raise NotFound("no-version", f"{name[:200]} is not watched here")


def charts_of(
    found: Sequence[Series], versions: Sequence[Watched], *, by_version: bool
) -> tuple[Chart, ...]:
    """The four of performance, and those of quality and drift where something is known."""
    made = []
    for name, wanted in SERIES.items():
        if by_version and name in _ALONE:
            lines = _each(found, versions, _ALONE[name])
        elif name in _ALONE:
            lines = [_line(one, _KINDS[one.name]) for want in wanted for one in found
                     if one.name == want and one.number is None]  # fmt: skip
        else:
            lines = _of_one(found, versions, wanted)
        if lines or name in _ALONE:
            made.append(Chart(name, tuple(lines)))
    return tuple(made)


def steps_of(charts: Sequence[Chart], most: int = 24) -> tuple[Step, ...]:
    """The lines of all charts as rows: steps that are evenly spread, newest first."""
    lines = [line for chart in charts for line in chart.lines]
    times = sorted({time for line in lines for time in line.times})
    kept = times[:: -max(-(-len(times) // most), 1)]
    known = [dict(zip(line.times, line.values, strict=False)) for line in lines]
    return tuple(
        Step(datetime.fromtimestamp(time, UTC), tuple(values.get(time) for values in known))
        for time in kept
    )


def features_of(version: VersionMonitor) -> tuple[Feature, ...]:
    """In the order of their drift: worst first."""
    windows = {window.column.name: window for window in version.columns}
    return tuple(Feature(drift, windows.get(drift.column)) for drift in version.drift)


def qualities_of(version: VersionMonitor) -> tuple[Quality, ...]:
    """What was measured, beside what was estimated of the same."""
    realized = {(one.name, one.label): one for one in version.realized}
    estimated = {(one.name, one.label): one for one in version.estimated}
    made = []
    for key in dict.fromkeys([*realized, *estimated]):
        first, second = realized.get(key), estimated.get(key)
        known = [one.reference for one in (first, second) if one and one.reference is not None]
        made.append(Quality(*key, first, second, known[0] if known else None))
    return tuple(made)


def alert_lines(alerts: Iterable[Alert]) -> tuple[AlertLine, ...]:
    """With what was measured, in the unit of its signal."""
    made = []
    for one in alerts:
        signal = SIGNALS.get(str(one.evidence.get("signal", "")))
        unit = "" if signal is None else signal.unit
        told = ["" if each is None else quantity(each, unit) for each in (one.value, one.threshold)]
        made.append(AlertLine(one, *told))
    return tuple(made)


def happened(changes: Iterable[DeploymentChange], window: Window) -> tuple[Happened, ...]:
    """Changes in a window, oldest first; `changes` come newest first."""
    found: list[Happened] = []
    for change in changes:
        if change.time < window.since or len(found) >= 100:
            break
        if change.time <= window.until:
            found.append(Happened(change.time.timestamp(), change.action, change.generation,
                                  change.who.partition(" <")[0]))  # fmt: skip
    return tuple(reversed(found))


def _of_all(measures: Sequence[Measured]) -> float | None:
    found = (one.value for one in measures if (one.name, one.label) == ("accuracy", None))
    return next(found, None)


def _kind(version: VersionMonitor, spec: DeploymentSpec) -> Kind:
    for share in spec.shares:
        if (share.model, share.number) == (version.model, version.number):
            return "shadow" if share.shadow else "stable" if share is spec.stable else "canary"
    return "shadow" if version.shadow else "former"


def _each(found: Sequence[Series], versions: Sequence[Watched], name: str) -> list[Line]:
    """One line a version."""
    kinds = {one.seen.number: one.kind for one in versions}
    of_name = {one.number: one for one in found if one.name == name and one.number is not None}
    return [_line(of_name[number], kinds[number]) for number in kinds if number in of_name]


def _of_one(
    found: Sequence[Series], versions: Sequence[Watched], wanted: Sequence[str]
) -> list[Line]:
    """Of the version that is shown: the first of those given; of all, where it is not split."""
    number = versions[0].seen.number if versions else None
    lines = []
    for want in wanted:
        own = [one for one in found if one.name == want and one.number in (number, None)]
        own.sort(key=lambda one: one.number is None)
        if own and any(value is not None for value in own[0].values):
            lines.append(_line(own[0], _KINDS[want]))
    return lines


def _line(one: Series, kind: str) -> Line:
    return Line(one.name, one.number, kind, one.times, one.values, one.low, one.high)
