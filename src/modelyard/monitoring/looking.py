"""One deployment in a window: its tiles merged, and everything that they say."""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelyard.core.monitoring import Monitor, Schema, VersionMonitor
from modelyard.errors import InvalidInput
from modelyard.monitoring import windows
from modelyard.monitoring.drift import columns_of, drift_of
from modelyard.monitoring.performance import of_tile
from modelyard.monitoring.quality import estimated, fairness, label_lag, realized
from modelyard.monitoring.quality.leaking import leakage_of
from modelyard.monitoring.redaction import without_redacted
from modelyard.registry.watching import alerts, tiles
from modelyard.registry.watching.events import events_within
from modelyard.registry.watching.seeing import Served, watched
from modelyard.registry.watching.versions import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.catalog.engine import Catalog
    from modelyard.core.monitoring import Alert, Anomaly
    from modelyard.monitoring.tiles import Tile, TruthTile
    from modelyard.monitoring.windows import Reference, Span, Spans
    from modelyard.registry.house import House
    from modelyard.registry.watching.seeing import Watched

__all__ = ["Longer", "Seen", "look", "profiles_of", "seen", "span"]

_HOUR: Final = 3600.0
_LONGEST: Final = 800 * 86_400.0
_BEFORE: Final = 2
"""Windows before this one that decide with it whether something drifted."""
ENOUGH: Final = 1000
"""Rows: no usual rule asks for more."""
_SHOWN: Final = 200
"""Anomalies and alerts."""

_caches: weakref.WeakKeyDictionary[Catalog, windows.Profiles] = weakref.WeakKeyDictionary()


def profiles_of(house: House) -> windows.Profiles:
    """References that this process knows of a yard."""
    return _caches.setdefault(house.catalog, windows.Profiles())


def span(since: datetime | None, until: datetime | None) -> tuple[float, float]:
    """A window as seconds since 1970; the last hour if nothing is said. InvalidInput: `bad-window`.

    Times without a zone are UTC.
    """
    end = time.time() if until is None else _seconds(until)
    begin = end - _HOUR if since is None else _seconds(since)
    if not 0 < end - begin <= _LONGEST:
        raise InvalidInput(
            "bad-window", "a window ends after it begins, and is no longer than 800 days",
            hint="such as the last hour: --since 1h",
        )  # fmt: skip
    return begin, end


@dataclass(frozen=True, slots=True)
class Longer:
    """Seconds of longer windows, rising: of those that end with the one that is looked at, each
    version gets the shortest in which there are enough rows, or the last."""

    traffic: tuple[float, ...] = ()
    truth: tuple[float, ...] = ()
    """It may come days after the answers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Tiles of a deployment in a window, by version."""

    at: Watched
    begin: float
    """Seconds since 1970: where the first of these tiles begins, if that is before the window."""
    end: float
    """Where the last one ends, or now."""
    serves: dict[windows.Version, Served]
    """What is served now, and what has tiles."""
    references: dict[windows.Version, Reference]
    performance: Spans
    traffic: Spans
    truth: Spans

    def schema(self, version: windows.Version) -> Schema:
        found = self.references.get(version)
        return windows.EMPTY if found is None else found.info.schema

    def is_shadow(self, version: windows.Version) -> bool:
        return version in self.serves and self.serves[version].shadow


def seen(
    house: House, name: str, since: float, until: float, *, before: int = 0,
    kinds: Iterable[int] = (windows.PERFORMANCE, tiles.TRAFFIC, tiles.TRUTH),
) -> Seen:  # fmt: skip
    """Read what there is of a window. NotFound: `no-deployment`.

    Args:
        before: Windows of the same length before this one whose traffic is wanted too.
    """
    at = watched(house, name)
    wanted = set(kinds)
    speeds: Spans = {}
    if windows.PERFORMANCE in wanted:
        speeds = windows.read(house, at.id, since, until, {}, windows.PERFORMANCE)
    begin, end = _edges(speeds, since, until)
    serves = {(one.model_id, one.number): one for one in at.serves}
    names = named(house, {model_id for model_id, _ in speeds} - {key[0] for key in serves})
    for model_id, number in speeds:
        known = next((one.model for one in at.serves if one.model_id == model_id), None)
        model = known or names.get(model_id)
        if model is not None and (model_id, number) not in serves:
            serves[model_id, number] = Served(model_id, model, number, 0.0, False)
    cache = profiles_of(house)
    references = {
        version: found
        for version, one in serves.items()
        if (found := cache.of(house, one.model_id, one.model, one.number)) is not None
    }
    schemas = {version: found.info.schema for version, found in references.items()}
    traffic: Spans = {}
    truth: Spans = {}
    if tiles.TRAFFIC in wanted:
        traffic = windows.read(house, at.id, begin - before * (end - begin), end, schemas)
    if tiles.TRUTH in wanted:
        truth = windows.read(house, at.id, begin, end, schemas, tiles.TRUTH)
    return Seen(at, begin, end, serves, references, speeds, traffic, truth)


def _edges(speeds: Spans, since: float, until: float) -> tuple[float, float]:
    """The window, made so long that no tile lies in it with a part only."""
    spans = [span for each in speeds.values() for span in each]
    begin = min((span.start for span in spans), default=since)
    end = min(max((span.end for span in spans), default=until), time.time())
    return min(begin, since), max(end, until)


def look(
    house: House, name: str, *, since: datetime | None = None, until: datetime | None = None,
    longer: Longer | None = None,
) -> Monitor:  # fmt: skip
    """`Monitoring.look`.

    Args:
        longer: Where else to look for what is told of rows and truths, if the window has few.
    """
    found = seen(house, name, *span(since, until), before=_BEFORE)
    begin, end = found.begin, found.end
    versions = [
        without_redacted(_version(house, found, version, longer or Longer()), found.at.spec.redact)
        for version in found.serves
    ]
    return Monitor(
        deployment=name, since=datetime.fromtimestamp(begin, UTC),
        until=datetime.fromtimestamp(end, UTC), versions=tuple(_ordered(versions)),
        anomalies=_anomalies(house, found), alerts=_alerts(house, name),
        dropped=sum(
            span.tile.performance.dropped for each in found.performance.values() for span in each
        ),
    )  # fmt: skip


def _version(house: House, found: Seen, version: windows.Version, longer: Longer) -> VersionMonitor:
    one, reference = found.serves[version], found.references.get(version)
    speed = windows.merged(
        windows.EMPTY, (span.tile for span in found.performance.get(version, ()))
    )
    performance = of_tile(speed.performance, found.end - found.begin)
    if reference is None:
        return VersionMonitor(
            model=one.model, number=one.number, percent=one.percent, shadow=one.shadow,
            performance=performance, reference=None, drift=(), columns=(), realized=(),
            estimated=(), fairness=(),
            notes=("no reference yet: it is made of the first 1,000 rows, or by yard profile",),
        )  # fmt: skip
    schema, profile = reference.info.schema, reference.profile
    now, before, begin = _traffic(house, found, version, longer.traffic)
    truth = _truth(house, found, version, longer.truth)
    now.truth = truth
    told = realized(schema, truth, profile.tile.truth)
    leaked = leakage_of(house, found.at.id, version, profile, begin, found.end)
    drift = drift_of(profile, now, before)
    return VersionMonitor(
        model=one.model, number=one.number, percent=one.percent, shadow=one.shadow,
        performance=performance, reference=reference.info,
        drift=tuple(sorted(drift, key=lambda each: -each.score)),
        columns=columns_of(profile, now), realized=told,
        estimated=(*estimated(profile, now), *leaked),
        fairness=fairness(schema, now), label_lag=label_lag(truth), labelled=truth.rows,
    )  # fmt: skip


def _traffic(
    house: House, found: Seen, version: windows.Version, longer: Sequence[float]
) -> tuple[Tile, list[Tile], float]:
    """The window, those of the same length before it, oldest first, and where it begins."""
    schema, spans, begin = found.schema(version), found.traffic.get(version, []), found.begin
    now = windows.merged(schema, (span.tile for span in spans if span.end > begin))
    for length in longer:
        if now.rows >= ENOUGH:
            break
        if (first := found.end - length) < begin:
            older = _older(house, found, version, first, begin, tiles.TRAFFIC)
            begin = min([first, *(span.start for span in older)])
            now = windows.merged(schema, (now, *(span.tile for span in older)))
    length = found.end - begin
    if begin < found.begin:
        first = begin - _BEFORE * length
        spans = _older(house, found, version, first, begin, tiles.TRAFFIC)
    before = []
    for back in range(_BEFORE, 0, -1):
        first, last = begin - back * length, begin - (back - 1) * length
        parts = [each.tile for each in spans if each.end <= begin and first < each.end <= last]
        if parts:
            before.append(windows.merged(schema, parts))
    return now, before, begin


def _truth(
    house: House, found: Seen, version: windows.Version, longer: Sequence[float]
) -> TruthTile:
    schema, begin = found.schema(version), found.begin
    whole = windows.merged(schema, (span.tile for span in found.truth.get(version, ())))
    for length in longer:
        if whole.truth.rows >= ENOUGH:
            break
        if (first := found.end - length) < begin:
            older = _older(house, found, version, first, begin, tiles.TRUTH)
            begin = min([first, *(span.start for span in older)])
            whole = windows.merged(schema, (whole, *(span.tile for span in older)))
    return whole.truth


def _older(
    house: House, found: Seen, version: windows.Version, since: float, until: float, kind: int
) -> list[Span]:
    """Tiles of a version that end in a span of time: what came later is known."""
    schemas = {version: found.schema(version)}
    spans = windows.read(house, found.at.id, since, until, schemas, kind)
    return [span for span in spans.get(version, ()) if span.end <= until]


def _ordered(versions: Iterable[VersionMonitor]) -> list[VersionMonitor]:
    """What answers most comes first; shadows and what is gone come last."""
    return sorted(versions, key=lambda v: (v.shadow, -v.percent, -v.number))


def _anomalies(house: House, found: Seen) -> tuple[Anomaly, ...]:
    since, until = (datetime.fromtimestamp(each, UTC) for each in (found.begin, found.end))
    return events_within(house, found.at.name, since, until, _SHOWN)


def _alerts(house: House, name: str) -> tuple[Alert, ...]:
    return tuple(
        each
        for each, _ in zip(alerts.listed(house, name, is_firing=True), range(_SHOWN), strict=False)
    )


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
