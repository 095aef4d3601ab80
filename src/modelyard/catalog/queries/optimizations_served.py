"""Statements about optimizations that servers run, and take up again by themselves."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries import dialects
from modelyard.catalog.schema import optimization_served

__all__ = ["ServedRow", "all_rows", "drop", "get", "put"]


class ServedRow(NamedTuple):
    """A row of `optimization_served`."""

    optimization_id: int
    account: str
    """Name of the account that began it; empty where a server has no accounts."""
    body: str


_SELECT = sa.select(*(optimization_served.c[name] for name in ServedRow._fields))


def get(connection: sa.Connection, key: int) -> ServedRow | None:
    row = connection.execute(_SELECT.where(optimization_served.c.optimization_id == key)).first()
    return None if row is None else ServedRow._make(row)


def put(connection: sa.Connection, row: ServedRow) -> None:
    """In the place of what was there."""
    dialects.put(connection, optimization_served, [row._asdict()])


def all_rows(connection: sa.Connection) -> list[ServedRow]:
    """Of those that have not ended, the oldest first."""
    query = _SELECT.order_by(optimization_served.c.optimization_id)
    return [ServedRow._make(row) for row in connection.execute(query)]


def drop(connection: sa.Connection, key: int) -> None:
    of_it = optimization_served.c.optimization_id == key
    connection.execute(sa.delete(optimization_served).where(of_it))
