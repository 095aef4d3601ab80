"""Statements about deliveries: which event is on its way to which webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import delivery, hook

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DeliveryRow", "add", "by_id", "change", "drop_of", "due", "forget", "give_up", "is_sending",
    "last_good", "of_hook", "oldest_unsent",
]  # fmt: skip

_OPEN = ("waiting", "sending")


class DeliveryRow(NamedTuple):
    """A row of `delivery`."""

    id: int
    hook_id: int
    event: int
    state: str
    attempts: int
    due: int
    status: int | None
    error: str
    created: int


_COLUMNS = [delivery.c[name] for name in DeliveryRow._fields]
_SELECT = sa.select(*_COLUMNS)
_BY_ID = _SELECT.where(delivery.c.id == sa.bindparam("key"))
_DUE = (
    sa.select(*_COLUMNS)
    .join_from(delivery, hook, hook.c.id == delivery.c.hook_id)
    .where(
        delivery.c.state.in_(_OPEN),
        delivery.c.due <= sa.bindparam("now"),
        hook.c.active.is_(True),
    )
    .order_by(delivery.c.hook_id, delivery.c.event)
    .limit(sa.bindparam("n"))
)
_SENDING = (
    sa.select(delivery.c.id)
    .where(
        delivery.c.hook_id == sa.bindparam("hook"),
        delivery.c.state == "sending",
        delivery.c.due > sa.bindparam("now"),
    )
    .limit(1)
)
_OF_HOOK = (
    _SELECT.where(
        delivery.c.hook_id == sa.bindparam("hook"), delivery.c.id < sa.bindparam("before")
    )
    .order_by(delivery.c.id.desc())
    .limit(sa.bindparam("n"))
)
_LAST_GOOD = sa.select(sa.func.coalesce(sa.func.max(delivery.c.due), 0)).where(
    delivery.c.hook_id == sa.bindparam("hook"), delivery.c.state == "done"
)
_OLDEST = sa.select(sa.func.min(delivery.c.created)).where(
    delivery.c.hook_id == sa.bindparam("hook"),
    delivery.c.state != "done",
    delivery.c.created > sa.bindparam("after"),
)


def add(connection: sa.Connection, hook_id: int, events: Iterable[int], now: int) -> int:
    """Deliveries that are due now; gives how many."""
    values = [
        {"hook_id": hook_id, "event": event, "state": "waiting", "attempts": 0, "due": now,
         "status": None, "error": "", "created": now}
        for event in events
    ]  # fmt: skip
    if values:
        connection.execute(sa.insert(delivery), values)
    return len(values)


def by_id(connection: sa.Connection, key: int) -> DeliveryRow | None:
    row = connection.execute(_BY_ID, {"key": key}).first()
    return None if row is None else DeliveryRow._make(row)


def due(
    connection: sa.Connection, now: int, limit: int, hook_id: int | None = None
) -> list[DeliveryRow]:
    """What is to be sent now, to one hook or all, the oldest events of each first.

    That includes what somebody began to send long ago: that server is gone.
    """
    statement = _DUE if hook_id is None else _DUE.where(delivery.c.hook_id == hook_id)
    rows = connection.execute(statement, {"now": now, "n": limit})
    return [DeliveryRow._make(row) for row in rows]


def is_sending(connection: sa.Connection, hook_id: int, now: int) -> bool:
    """Whether some server sends something to this hook; the hook is to be locked."""
    return connection.execute(_SENDING, {"hook": hook_id, "now": now}).first() is not None


def change(connection: sa.Connection, key: int, **values: object) -> None:
    connection.execute(sa.update(delivery).where(delivery.c.id == key).values(**values))


def of_hook(
    connection: sa.Connection, hook_id: int, limit: int, before: int = 1 << 62
) -> list[DeliveryRow]:
    """Newest first."""
    rows = connection.execute(_OF_HOOK, {"hook": hook_id, "n": limit, "before": before})
    return [DeliveryRow._make(row) for row in rows]


def last_good(connection: sa.Connection, hook_id: int) -> int:
    """When something arrived last; 0 if nothing did."""
    return int(connection.execute(_LAST_GOOD, {"hook": hook_id}).scalar_one())


def oldest_unsent(connection: sa.Connection, hook_id: int, after: int) -> int | None:
    """When the first delivery was made, after this time, that did not arrive."""
    found = connection.execute(_OLDEST, {"hook": hook_id, "after": after}).scalar()
    return None if found is None else int(found)


def give_up(connection: sa.Connection, hook_id: int, error: str) -> None:
    """What waits for a hook is not sent any more."""
    waiting = sa.and_(delivery.c.hook_id == hook_id, delivery.c.state.in_(_OPEN))
    connection.execute(sa.update(delivery).where(waiting).values(state="failed", error=error))


def drop_of(connection: sa.Connection, hook_id: int) -> None:
    connection.execute(sa.delete(delivery).where(delivery.c.hook_id == hook_id))


def forget(connection: sa.Connection, before: int) -> None:
    """Rows of what is over since this time."""
    over = sa.and_(delivery.c.state.in_(("done", "failed")), delivery.c.created < before)
    connection.execute(sa.delete(delivery).where(over))
