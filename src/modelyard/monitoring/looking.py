"""One deployment in a window: its tiles merged, and everything that they say."""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from modelyard.core.monitoring import Monitor, Schema, VersionMonitor
from modelyard.errors import InvalidInput
from modelyard.monitoring import windows
from modelyard.monitoring.drift import columns_of, drift_of
from modelyard.monitoring.performance import of_tile
from modelyard.monitoring.quality import estimated, fairness, label_lag, realized
from modelyard.monitoring.quality.leaking import leakage_of
from modelyard.registry.watching import alerts, tiles
from modelyard.registry.watching.events import events
from modelyard.registry.watching.seeing import Served, watched
from modelyard.registry.watching.versions import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.catalog.engine import Catalog
    from modelyard.core.monitoring import Alert, Anomaly
    from modelyard.monitoring.tiles import Tile
    from modelyard.monitoring.windows import Reference, Spans
    from modelyard.registry.house import House
    from modelyard.registry.watching.seeing import Watched

__all__ = ["Seen", "look", "profiles_of", "seen", "span"]

_HOUR: Final = 3600.0
_LONGEST: Final = 800 * 86_400.0
_BEFORE: Final = 2
"""Windows before this one that decide with it whether something drifted."""
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
class Seen:
    """Tiles of a deployment in a window, by version."""

    at: Watched
    serves: dict[windows.Version, Served]
    """What is served now, and what has tiles."""
    references: dict[windows.Version, Reference]
    performance: Spans
    traffic: Spans
    truth: Spans

    def schema(self, version: windows.Version) -> Schema:
        found = self.references.get(version)
        return windows.EMPTY if found is None else found.info.schema


def seen(
    house: House, name: str, since: float, until: float, *, before: float = 0.0,
    kinds: Iterable[int] = (windows.PERFORMANCE, tiles.TRAFFIC, tiles.TRUTH),
) -> Seen:  # fmt: skip
    """Read what there is of a window. NotFound: `no-deployment`.

    Args:
        before: Seconds before the window whose traffic and truth is wanted too.
    """
    at = watched(house, name)
    wanted = set(kinds)
    speeds: Spans = {}
    if windows.PERFORMANCE in wanted:
        speeds = windows.read(house, at.id, since, until, {}, windows.PERFORMANCE)
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
        traffic = windows.read(house, at.id, since - before, until, schemas)
    if tiles.TRUTH in wanted:
        truth = windows.read(house, at.id, since, until, schemas, tiles.TRUTH)
    return Seen(at, serves, references, speeds, traffic, truth)


def look(
    house: House, name: str, *, since: datetime | None = None, until: datetime | None = None
) -> Monitor:
    """`Monitoring.look`."""
    begin, end = span(since, until)
    length = end - begin
    found = seen(house, name, begin, end, before=_BEFORE * length)
    versions = [_version(house, found, version, begin, length) for version in found.serves]
    return Monitor(
        deployment=name, since=datetime.fromtimestamp(begin, UTC),
        until=datetime.fromtimestamp(end, UTC), versions=tuple(_ordered(versions)),
        anomalies=_anomalies(house, name, begin), alerts=_alerts(house, name),
        dropped=sum(t.performance.dropped for s in found.performance.values() for _, t in s),
    )  # fmt: skip


def _version(
    house: House, found: Seen, version: windows.Version, begin: float, length: float
) -> VersionMonitor:
    one, reference = found.serves[version], found.references.get(version)
    speed = windows.merged(windows.EMPTY, (tile for _, tile in found.performance.get(version, ())))
    performance = of_tile(speed.performance, length)
    if reference is None:
        return VersionMonitor(
            model=one.model, number=one.number, percent=one.percent, shadow=one.shadow,
            performance=performance, reference=None, drift=(), columns=(), realized=(),
            estimated=(), fairness=(),
            notes=("no reference yet: it is made of the first 1,000 rows, or by yard profile",),
        )  # fmt: skip
    schema, profile = reference.info.schema, reference.profile
    spans = found.traffic.get(version, [])
    now = windows.merged(schema, (tile for start, tile in spans if start >= begin - 60))
    truth = windows.merged(schema, (tile for _, tile in found.truth.get(version, ()))).truth
    now.truth = truth
    told = realized(schema, truth, profile.tile.truth)
    leaked = leakage_of(house, found.at.id, version, profile, begin, begin + length)
    drift = drift_of(profile, now, _windows_before(schema, spans, begin, length))
    return VersionMonitor(
        model=one.model, number=one.number, percent=one.percent, shadow=one.shadow,
        performance=performance, reference=reference.info,
        drift=tuple(sorted(drift, key=lambda each: -each.score)),
        columns=columns_of(profile, now), realized=told,
        estimated=(*estimated(profile, now), *leaked),
        fairness=fairness(schema, now), label_lag=label_lag(truth), labelled=truth.rows,
    )  # fmt: skip


def _windows_before(
    schema: Schema, spans: Sequence[tuple[int, Tile]], begin: float, length: float
) -> list[Tile]:
    """The windows of the same length before this one, oldest first."""
    found = []
    for back in range(_BEFORE, 0, -1):
        first, last = begin - back * length, begin - (back - 1) * length
        parts = [tile for start, tile in spans if first <= start < min(last, begin - 60)]
        if parts:
            found.append(windows.merged(schema, parts))
    return found


def _ordered(versions: Iterable[VersionMonitor]) -> list[VersionMonitor]:
    """What answers most comes first; shadows and what is gone come last."""
    return sorted(versions, key=lambda v: (v.shadow, -v.percent, -v.number))


def _anomalies(house: House, name: str, begin: float) -> tuple[Anomaly, ...]:
    since = datetime.fromtimestamp(begin, UTC)
    recent = takewhile(lambda each: (each.until or each.time) >= since, events(house, name, None))
    return tuple(each for each, _ in zip(recent, range(_SHOWN), strict=False))


def _alerts(house: House, name: str) -> tuple[Alert, ...]:
    return tuple(
        each
        for each, _ in zip(alerts.listed(house, name, is_firing=True), range(_SHOWN), strict=False)
    )


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
