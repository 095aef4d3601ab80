"""Statements about guards: refs that not everybody who may write may move."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import guard

__all__ = ["GuardRow", "create", "get", "listed", "remove"]


class GuardRow(NamedTuple):
    """A row of `guard`."""

    id: int
    pattern: str
    ref: str
    role: str
    approvals: int
    created: int
    who: str


_SELECT = sa.select(*(guard.c[name] for name in GuardRow._fields))
_ALL = _SELECT.order_by(guard.c.pattern, guard.c.ref)
_THIS = sa.and_(guard.c.pattern == sa.bindparam("p"), guard.c.ref == sa.bindparam("r"))


def listed(connection: sa.Connection) -> list[GuardRow]:
    """All guards, by pattern and ref."""
    return [GuardRow._make(row) for row in connection.execute(_ALL)]


def get(connection: sa.Connection, pattern: str, ref: str) -> GuardRow | None:
    row = connection.execute(_SELECT.where(_THIS), {"p": pattern, "r": ref}).first()
    return None if row is None else GuardRow._make(row)


def create(connection: sa.Connection, **values: object) -> int:
    key = connection.execute(sa.insert(guard), values).inserted_primary_key
    return int(key[0]) if key else 0


def remove(connection: sa.Connection, key: int) -> None:
    connection.execute(sa.delete(guard).where(guard.c.id == sa.bindparam("key")), {"key": key})
