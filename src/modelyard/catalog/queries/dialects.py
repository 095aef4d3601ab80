"""Statements that each database says in its own way: insert what is not there, or put it.

A dialect is loaded when its database is used: PostgreSQL's takes a tenth of a second.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_new", "put"]

Rows = "Sequence[Mapping[str, Any]]"


def insert_new(
    connection: sa.Connection, table: sa.Table, key: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert those rows whose key is not there; waits for others that insert it just now.

    Whoever wants to know their ids looks again afterwards. In the order of the key, so that two
    sessions with the same rows do not wait for each other.
    """
    if rows:
        ordered = sorted(rows, key=lambda row: row[key])
        connection.execute(_new(connection.dialect.name, table, key), ordered)


def put(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or change the rows that have their primary keys; in the order of the keys."""
    if rows:
        keys = [column.name for column in table.primary_key]
        ordered = sorted(rows, key=lambda row: [row[name] for name in keys])
        connection.execute(_put(connection.dialect.name, table), ordered)


@cache
def _new(dialect: str, table: sa.Table, key: str) -> sa.Insert:
    if dialect in ("mysql", "mariadb"):
        from sqlalchemy.dialects import mysql

        return mysql.insert(table).on_duplicate_key_update({key: table.c[key]})
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=[key])


@cache
def _put(dialect: str, table: sa.Table) -> sa.Insert:
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    if dialect in ("mysql", "mariadb"):
        from sqlalchemy.dialects import mysql

        ours = mysql.insert(table)
        return ours.on_duplicate_key_update({name: ours.inserted[name] for name in others})
    insert = _insert(dialect, table)
    return insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in others}
    )


def _insert(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
