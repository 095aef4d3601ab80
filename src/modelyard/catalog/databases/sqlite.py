"""SQLite: one file, one writer at a time, readers beside it (WAL)."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.databases.interface import Mode, Retry
from modelyard.core.sqlite import sqlite3
from modelyard.errors import Corrupt, Denied, ModelyardError, Unavailable, Unsupported

if TYPE_CHECKING:
    from modelyard.catalog.databases.interface import Database

__all__ = ["Sqlite"]

_BUSY_SECONDS = 60.0
_SYNCHRONOUS = "yard_synchronous"
_CACHED_KIB = 4_000
"""Of each connection, and a server keeps five: what is not here is in the system's memory."""


class Sqlite:
    """A file, or memory. Every write transaction is alone."""

    def engine(self, url: sa.URL) -> sa.Engine:
        # the connection that was used last has its pages at hand; the others are for rushes
        in_file = {"pool_use_lifo": True} if url.database not in (None, "", ":memory:") else {}
        engine = sa.create_engine(url, **in_file)
        sa.event.listen(engine, "connect", _prepare)
        return engine

    def begin(self, connection: sa.Connection, mode: Mode) -> None:
        if mode == "read":
            connection.exec_driver_sql("BEGIN")
            return
        wanted = "NORMAL" if mode == "soft" else "FULL"
        if connection.info.get(_SYNCHRONOUS, "FULL") != wanted:
            connection.exec_driver_sql(f"PRAGMA synchronous={wanted}")
            connection.info[_SYNCHRONOUS] = wanted
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def now(self, connection: sa.Connection) -> int:
        """The local clock: the file is on this machine."""
        return time.time_ns() // 1000

    def failure(self, error: sa.exc.SQLAlchemyError, url: sa.URL) -> ModelyardError | None:
        text = str(getattr(error, "orig", error))
        if isinstance(error, sa.exc.OperationalError):
            return _operational(text)
        if "malformed" in text or "not a database" in text:
            return Corrupt(
                "catalog-damaged", "the catalog's file is damaged",
                hint="yard verify --rebuild makes it again from the store",
            )  # fmt: skip
        return None


def _operational(text: str) -> ModelyardError | None:
    if "locked" in text or "busy" in text:
        return Retry()
    if "readonly" in text:
        return Denied(
            "no-permission", "the yard's folder can't be written by you",
            hint="reading needs it too: readers are noted beside the catalog",
        )  # fmt: skip
    if "disk is full" in text or "disk I/O" in text:
        return Unavailable(
            "catalog-write", f"the catalog can't be written: {text}", hint="free some disk"
        )
    if "unable to open" in text:
        return Unavailable("catalog-open", f"the catalog can't be opened: {text}")
    if "no such module: fts5" in text:
        return Unsupported(
            "no-fts5", "this SQLite has no full-text search",
            hint="import modelyard and open the yard before tensorflow and sqlite3",
        )  # fmt: skip
    return None


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={int(_BUSY_SECONDS * 1000)}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=OFF",
        f"cache_size=-{_CACHED_KIB}",
        "temp_store=MEMORY",
        "journal_size_limit=16777216",
    ):
        _patiently(cursor, f"PRAGMA {pragma}")
    cursor.close()


def _patiently(cursor: Any, statement: str) -> None:
    """The switch to WAL needs the file alone, and does not wait by itself as all else does."""
    for wait in (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 0.0):
        try:
            cursor.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not wait or "locked" not in str(error):
                raise
            time.sleep(wait * random.uniform(0.5, 1.0))


if TYPE_CHECKING:
    _: Database = Sqlite()
