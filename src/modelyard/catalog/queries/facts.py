"""Statements about facts: what is known of the whole yard, by name."""

from __future__ import annotations

import sqlalchemy as sa

from modelyard.catalog.queries import dialects
from modelyard.catalog.schema import fact

__all__ = ["GATE", "get", "put"]

GATE = "gate"
"""The fact that MySQL's gate locks; it says nothing."""

_GET = sa.select(fact.c.value).where(fact.c.name == sa.bindparam("n"))


def get(connection: sa.Connection, name: str) -> str | None:
    """What is known under this name."""
    return connection.execute(_GET, {"n": name}).scalar_one_or_none()


def put(connection: sa.Connection, name: str, value: str) -> None:
    """Keep a fact, in place of the one before; names have at most 40 characters."""
    dialects.put(connection, fact, [{"name": name, "value": value}])
