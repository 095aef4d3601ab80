"""Statements about webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import account, hook

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HookRow", "active", "add", "all_of", "by_id", "change", "drop", "lock"]


class HookRow(NamedTuple):
    """A row of `hook`, and the name of its account."""

    id: int
    url: str
    secret: str
    events: str
    pattern: str
    account_id: int
    active: bool
    seen: int
    created: int
    owner: str | None


_COLUMNS = [hook.c[name] for name in HookRow._fields[:-1]]
_SELECT = (
    sa.select(*_COLUMNS, account.c.name)
    .select_from(hook)
    .outerjoin(account, account.c.id == hook.c.account_id)
)
_LOCK = sa.select(hook.c.seen, hook.c.active).where(hook.c.id == sa.bindparam("key"))


def add(connection: sa.Connection, values: Mapping[str, object]) -> int:
    key = connection.execute(sa.insert(hook), dict(values)).inserted_primary_key
    return int(key[0]) if key else 0


def all_of(connection: sa.Connection) -> list[HookRow]:
    rows = connection.execute(_SELECT.order_by(hook.c.id))
    return [HookRow._make(row) for row in rows]


def active(connection: sa.Connection) -> list[HookRow]:
    """Those that are told of events."""
    rows = connection.execute(_SELECT.where(hook.c.active.is_(True)).order_by(hook.c.id))
    return [HookRow._make(row) for row in rows]


def by_id(connection: sa.Connection, key: int) -> HookRow | None:
    row = connection.execute(_SELECT.where(hook.c.id == sa.bindparam("key")), {"key": key}).first()
    return None if row is None else HookRow._make(row)


def lock(connection: sa.Connection, key: int) -> tuple[int, bool] | None:
    """Up to which event deliveries were made, and whether it is active; held until the end."""
    row = connection.execute(_LOCK.with_for_update(), {"key": key}).first()
    return None if row is None else (int(row.seen), bool(row.active))


def change(connection: sa.Connection, key: int, **values: object) -> None:
    connection.execute(sa.update(hook).where(hook.c.id == key).values(**values))


def drop(connection: sa.Connection, key: int) -> bool:
    """Whether it was there."""
    return connection.execute(sa.delete(hook).where(hook.c.id == key)).rowcount > 0
