"""Statements about anomalies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import watch_event

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EventRow", "add", "change", "drop_before", "drop_of", "lasting", "page", "within"]

_PAGE = 100


class EventRow(NamedTuple):
    """A row of `watch_event`."""

    id: int
    deployment_id: int
    time: int
    until: int
    kind: str
    body: str


_SELECT = sa.select(*(watch_event.c[name] for name in EventRow._fields))
_NEWEST = watch_event.c.id.desc()


def add(connection: sa.Connection, row: EventRow) -> int:
    """Its id is given by the database."""
    values = row._asdict()
    del values["id"]
    key = connection.execute(sa.insert(watch_event), values).inserted_primary_key
    return int(key[0]) if key else 0


def change(connection: sa.Connection, key: int, until: int, body: str) -> None:
    where = sa.update(watch_event).where(watch_event.c.id == key)
    connection.execute(where.values(until=until, body=body))


def lasting(connection: sa.Connection, deployment_id: int, since: int) -> list[EventRow]:
    """Of the newest events of a deployment those that were seen since a time; locked."""
    newest = (
        _SELECT.where(watch_event.c.deployment_id == deployment_id).order_by(_NEWEST).limit(300)
    )
    rows = (EventRow._make(row) for row in connection.execute(newest.with_for_update()))
    return [row for row in rows if row.until >= since]


def page(
    connection: sa.Connection, deployment_ids: Sequence[int], before: int | None
) -> list[EventRow]:
    """Newest first."""
    query = _SELECT.where(watch_event.c.deployment_id.in_(deployment_ids))
    if before is not None:
        query = query.where(watch_event.c.id < before)
    return [EventRow._make(row) for row in connection.execute(query.order_by(_NEWEST).limit(_PAGE))]


def within(
    connection: sa.Connection, deployment_id: int, since: int, until: int, limit: int
) -> list[EventRow]:
    """Those that went on in [since, until); of many those that were seen last; newest first."""
    query = (
        _SELECT.where(watch_event.c.deployment_id == deployment_id)
        .where(watch_event.c.until >= since, watch_event.c.time < until)
        .order_by(watch_event.c.until.desc(), _NEWEST)
        .limit(limit)
    )
    rows = [EventRow._make(row) for row in connection.execute(query)]
    return sorted(rows, key=lambda row: -row.id)


def drop_before(connection: sa.Connection, until: int) -> int:
    """Forget what was seen last before a time; gives how many went."""
    return connection.execute(sa.delete(watch_event).where(watch_event.c.until < until)).rowcount


def drop_of(connection: sa.Connection, deployment_id: int) -> None:
    """Forget those of a deployment."""
    connection.execute(sa.delete(watch_event).where(watch_event.c.deployment_id == deployment_id))
