"""The statements of an SQL store: each function is a few of them inside a transaction."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from modelyard.store.sql_database import OBJECTS, PARTS, UPLOADS, now

__all__ = [
    "Row", "close_upload", "find", "keys_after", "open_upload", "remove", "show", "stale_uploads",
    "sweep", "touch",
]  # fmt: skip


class Row(NamedTuple):
    """An object as its row tells it."""

    upload: int
    size: int
    part_size: int
    modified: int
    """Microseconds since 1970."""


_FIND = sa.select(OBJECTS.c.upload, OBJECTS.c.size, OBJECTS.c.part_size, OBJECTS.c.modified).where(
    OBJECTS.c.key == sa.bindparam("key")
)
_HOLD = sa.select(OBJECTS.c.upload).where(OBJECTS.c.key == sa.bindparam("key")).with_for_update()


def find(connection: sa.Connection, key: str) -> Row | None:
    row = connection.execute(_FIND, {"key": key}).first()
    return None if row is None else Row(*row)


def keys_after(connection: sa.Connection, prefix: str, after: str, limit: int) -> list[str]:
    """The first keys beyond `after` that begin with `prefix`, by a range of the index."""
    statement = (
        sa.select(OBJECTS.c.key)
        .where(OBJECTS.c.key >= prefix, OBJECTS.c.key < prefix + "\x7f", OBJECTS.c.key > after)
        .order_by(OBJECTS.c.key)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def show(connection: sa.Connection, key: str, upload: int, *, size: int, part_size: int) -> None:
    """Let `key` name `upload` from now on; what it named before is deleted."""
    values = {"upload": upload, "size": size, "part_size": part_size, "modified": now(connection)}
    while True:
        if _insert_if_absent(connection, OBJECTS, {"key": key, **values}):
            return
        before = connection.execute(_HOLD, {"key": key}).scalar()
        if before == upload:
            return  # this was done already, and its reply was lost
        if before is not None:
            connection.execute(sa.update(OBJECTS).where(OBJECTS.c.key == key).values(values))
            connection.execute(sa.delete(PARTS).where(PARTS.c.upload == before))
            return


def remove(connection: sa.Connection, key: str) -> None:
    upload = connection.execute(_HOLD, {"key": key}).scalar()
    if upload is not None:
        connection.execute(sa.delete(OBJECTS).where(OBJECTS.c.key == key))
        connection.execute(sa.delete(PARTS).where(PARTS.c.upload == upload))


def open_upload(connection: sa.Connection, upload: int) -> None:
    """Note an upload, so that its parts are found if its writer dies."""
    _insert_if_absent(connection, UPLOADS, {"upload": upload, "touched": now(connection)})


def touch(connection: sa.Connection, upload: int) -> bool:
    """Say that the upload goes on; False if it was swept meanwhile."""
    statement = sa.update(UPLOADS).where(UPLOADS.c.upload == upload)
    return connection.execute(statement.values(touched=now(connection))).rowcount == 1


def close_upload(connection: sa.Connection, upload: int) -> bool:
    """Its parts are to be shown in this transaction; False if it was swept meanwhile."""
    return connection.execute(sa.delete(UPLOADS).where(UPLOADS.c.upload == upload)).rowcount == 1


def stale_uploads(connection: sa.Connection, seconds: float) -> list[int]:
    limit = now(connection) - int(seconds * 1e6)
    return list(
        connection.execute(sa.select(UPLOADS.c.upload).where(UPLOADS.c.touched < limit)).scalars()
    )


def sweep(connection: sa.Connection, upload: int, seconds: float) -> bool:
    """Remove an upload nobody touched for so long; False if its writer is alive or done."""
    limit = now(connection) - int(seconds * 1e6)
    stale = sa.delete(UPLOADS).where(UPLOADS.c.upload == upload, UPLOADS.c.touched < limit)
    if connection.execute(stale).rowcount == 0:
        return False
    connection.execute(sa.delete(PARTS).where(PARTS.c.upload == upload))
    return True


def _insert_if_absent(
    connection: sa.Connection, table: sa.Table, values: dict[str, object]
) -> bool:
    """False if a row of this key is there already, which stays as it is."""
    statement: sa.Insert
    match connection.dialect.name:
        case "sqlite":
            statement = sqlite.insert(table).values(values).on_conflict_do_nothing()
        case "postgresql":
            statement = postgresql.insert(table).values(values).on_conflict_do_nothing()
        case _:
            statement = mysql.insert(table).values(values).prefix_with("IGNORE")
    return connection.execute(statement).rowcount == 1
