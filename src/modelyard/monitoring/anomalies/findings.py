"""What a detector finds, and incidents: one that lasts is one event which grows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from modelyard.core.monitoring import Anomaly

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelyard.core.monitoring import Severity

__all__ = ["COOL_DOWN", "Detector", "Finding", "Incidents", "Seconds"]

COOL_DOWN: Final = 60.0
"""Seconds without a finding after which an incident is over; the next one is another event."""
_EVERY: Final = 5.0
"""Seconds between two tellings of an incident that only lasts."""
_MOST: Final = 256
"""Incidents at a time."""
_RANK: Final = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is out of the way now."""

    kind: str
    severity: Severity
    words: str
    number: int | None = None
    client: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    """How often it was seen in the window that was looked at."""
    fresh: int | None = None
    """How often since the last look; None: as `count`."""
    size: float | None = None
    """How bad it is, among findings of an incident: the worst is told. None: `count`."""


class Detector(Protocol):
    """Looks at what it was fed with."""

    def look(self, now: float) -> Iterable[Finding]:
        """What is out of the way at a time (seconds since 1970)."""


@dataclass(slots=True, eq=False)
class _Incident:
    anomaly: Anomaly
    seen: float
    told: float
    most: float
    """The size of the worst finding."""
    changed: bool = True
    urgent: bool = True


class Incidents:
    """Makes events of findings."""

    def __init__(self, deployment: str) -> None:
        self.dropped = 0
        """Findings that came when there were too many incidents."""
        self._deployment = deployment
        self._open: dict[tuple[str, int | None, str | None], _Incident] = {}

    def take(self, finding: Finding, now: float) -> None:
        key = (finding.kind, finding.number, finding.client)
        found = self._open.get(key)
        when = datetime.fromtimestamp(now, UTC)
        size = finding.count if finding.size is None else finding.size
        if found is None:
            if len(self._open) >= _MOST:
                self.dropped += 1
                return
            made = Anomaly(
                id=0, time=when, deployment=self._deployment, kind=finding.kind,
                severity=finding.severity, words=finding.words, number=finding.number,
                client=finding.client, evidence=finding.evidence, until=when,
                count=max(1, finding.count),
            )  # fmt: skip
            self._open[key] = _Incident(
                made, now, float("-inf"), float(finding.size or finding.count)
            )
            return
        fresh = finding.count if finding.fresh is None else finding.fresh
        anomaly = replace(found.anomaly, until=when, count=found.anomaly.count + fresh)
        worse = _RANK[finding.severity] - _RANK[anomaly.severity]
        if worse > 0 or (worse == 0 and size > found.most):  # its worst is told
            anomaly = replace(
                anomaly, severity=finding.severity, words=finding.words, evidence=finding.evidence
            )
            found.most = size
            found.urgent = found.urgent or worse > 0
        found.anomaly, found.seen, found.changed = anomaly, now, True

    def tell(self, now: float) -> list[Anomaly]:
        """Those that are new, got worse, or lasted; what is over is forgotten."""
        told = []
        for key, incident in list(self._open.items()):
            over = now - incident.seen > COOL_DOWN
            due = incident.urgent or over or now - incident.told >= _EVERY
            if incident.changed and due:
                told.append(incident.anomaly)
                incident.told, incident.changed, incident.urgent = now, False, False
            if over:
                del self._open[key]
        return told


class Seconds:
    """Sums of a few numbers by second, of the last seconds."""

    __slots__ = ("_span", "_sums", "_width")

    def __init__(self, span: int, width: int) -> None:
        self._span, self._width = span, width
        self._sums: dict[int, list[float]] = {}

    def add(self, second: int, *numbers: float) -> None:
        sums = self._sums.get(second)
        if sums is None:
            if len(self._sums) >= self._span:
                self._forget(max(second, max(self._sums)) - self._span)
            sums = self._sums[second] = [0.0] * self._width
        for place, number in enumerate(numbers):
            sums[place] += number

    def total(self, now: float, last: int) -> list[float]:
        """Sums of the last seconds, the one that is under way being one of them."""
        found = [0.0] * self._width
        for sums in self.since(now, last):
            for place, number in enumerate(sums):
                found[place] += number
        return found

    def since(self, now: float, last: int) -> list[list[float]]:
        """The same, second by second, of those in which something was added."""
        first = int(now) - last + 1
        return [sums for second, sums in self._sums.items() if second >= first]

    def _forget(self, until: int) -> None:
        for second in [one for one in self._sums if one <= until]:
            del self._sums[second]
        if len(self._sums) >= self._span:
            del self._sums[min(self._sums)]
