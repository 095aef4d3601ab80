"""Anomalies in the catalog: one that lasts is one event, whichever servers see it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Final

import msgspec

from modelyard.catalog.queries import watch_events
from modelyard.catalog.queries.watch_events import EventRow
from modelyard.core.decoding import decode_json
from modelyard.core.monitoring import Anomaly  # noqa: TC001 - msgspec reads it
from modelyard.registry.watching.seeing import (
    Sight,
    bare,
    may_read,
    models_since,
    sight,
    sights,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["JOINED", "drop_events", "events", "events_within", "keep_events"]

JOINED: Final = 60_000_000
"""Microseconds between two sightings of the same thing that make one event."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a row holds."""

    anomaly: Anomaly
    parts: dict[str, int] = field(default_factory=dict)
    """How often each server saw it, by the time at which that server saw it first."""
    models: tuple[int, ...] = ()
    """What the deployment served while it was seen: whoever may read all of these is told."""


def keep_events(house: House, deployment_id: int, found: Sequence[Anomaly]) -> list[Anomaly]:
    """Write down anomalies, each as a new event or as more of one that lasts.

    Told again what it knows, an event stays as it is: its `count` is that of the last telling, and
    those of several servers are added.

    Returns:
        The events, with their ids.
    """
    if not found:
        return []

    def work(connection: sa.Connection) -> list[Anomaly]:
        first = min(_us(each.time) for each in found)
        rows = watch_events.lasting(connection, deployment_id, first - JOINED)
        known = [(row, decode_json(row.body, _Kept)) for row in rows]
        told = []
        served = models_since(connection, deployment_id, first - JOINED)
        for each in found:
            place = next((i for i, (row, kept) in enumerate(known) if _same(row, kept, each)), None)
            if place is None:
                row, kept = _added(connection, deployment_id, each, served)
                known.append((row, kept))
            else:
                row, kept = known[place] = _grown(connection, *known[place], each, served)
            told.append(replace(kept.anomaly, id=row.id))
        return told

    return house.catalog.write_soft(work)


def events(house: House, name: str | None = None, before: int | None = None) -> Iterator[Anomaly]:
    """Events of a deployment, or of all that the caller may see; newest first.

    Rows that show them, and who the clients are, see only those who may change the deployment. What
    happened while it served a model that is hidden from the caller is left out.

    Args:
        before: Only ids below it.

    Raises:
        NotFound: `no-deployment`.
    """
    return _pages(house, sights(house) if name is None else sight(house, name), before)


def events_within(
    house: House, name: str, since: datetime, until: datetime, most: int
) -> tuple[Anomaly, ...]:
    """Events of a deployment that went on in a window, newest first; as `events` shows them."""
    seen = sight(house, name)
    with house.catalog.fresh() as connection:
        rows = [
            row
            for key in seen
            for row in watch_events.within(connection, key, _us(since), _us(until), most)
        ]
    return tuple(_shown(house, rows, seen))


def drop_events(house: House, before: datetime) -> int:
    """Forget those that were seen last before a time; gives how many went."""
    return house.catalog.write_soft(
        lambda connection: watch_events.drop_before(connection, _us(before))
    )


def _pages(house: House, seen: dict[int, Sight], before: int | None) -> Iterator[Anomaly]:
    while seen:
        with house.catalog.fresh() as connection:
            rows = watch_events.page(connection, sorted(seen), before)
        yield from _shown(house, rows, seen)
        if not rows:
            return
        before = rows[-1].id


def _shown(house: House, rows: Sequence[EventRow], seen: Mapping[int, Sight]) -> Iterator[Anomaly]:
    """Those rows that the caller may see, as the caller may see them."""
    kept = [(row, decode_json(row.body, _Kept)) for row in rows]
    may = may_read(house, (key for _, one in kept for key in one.models))
    for row, one in kept:
        if may(one.models):
            at = seen[row.deployment_id]
            anomaly = replace(one.anomaly, id=row.id, deployment=at.name)
            yield anomaly if at.whole else _without_client(anomaly)


def _without_client(anomaly: Anomaly) -> Anomaly:
    """For who may not see what was asked, nor by whom."""
    evidence, words = bare(anomaly.evidence, anomaly.words, anomaly.client)
    return replace(anomaly, client=None, evidence=evidence, words=words)


def _same(row: EventRow, kept: _Kept, found: Anomaly) -> bool:
    old = kept.anomaly
    if (old.kind, old.number, old.client) != (found.kind, found.number, found.client):
        return False
    if str(_us(found.time)) in kept.parts:
        return True
    end = _us(found.until or found.time)
    return row.time - JOINED <= end and _us(found.time) <= row.until + JOINED


def _added(
    connection: sa.Connection, deployment_id: int, found: Anomaly, served: tuple[int, ...]
) -> tuple[EventRow, _Kept]:
    begun = _us(found.time)
    kept = _Kept(found, {str(begun): found.count}, served)
    until = _us(found.until or found.time)
    row = EventRow(0, deployment_id, begun, until, found.kind, _written(kept))
    return row._replace(id=watch_events.add(connection, row)), kept


def _grown(
    connection: sa.Connection, row: EventRow, kept: _Kept, found: Anomaly, served: tuple[int, ...]
) -> tuple[EventRow, _Kept]:
    parts = kept.parts | {str(_us(found.time)): found.count}
    until = max(row.until, _us(found.until or found.time))
    old = kept.anomaly
    told = found if _RANK[found.severity] >= _RANK[old.severity] else old
    anomaly = replace(
        told, time=old.time, count=sum(parts.values()),
        until=found.until if until == _us(found.until or found.time) else old.until,
    )  # fmt: skip
    grown = _Kept(anomaly, parts, tuple(sorted({*kept.models, *served})))
    body = _written(grown)
    watch_events.change(connection, row.id, until, body)
    return row._replace(until=until, body=body), grown


_RANK: Final = {"info": 0, "warning": 1, "critical": 2}


def _written(kept: _Kept) -> str:
    return msgspec.json.encode(kept).decode()


def _us(when: datetime) -> int:
    return round(when.astimezone(UTC).timestamp() * 1_000_000)
