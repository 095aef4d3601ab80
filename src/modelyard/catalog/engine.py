"""Opening the catalog and running transactions: one place for what differs between databases."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa

from modelyard.catalog.sqlite import sqlite3
from modelyard.errors import Corrupt, Denied, Unavailable, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Catalog"]

T = TypeVar("T")

_BUSY_SECONDS = 60.0


class Catalog:
    """The SQL database of rows. Many threads and processes may use it at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._writes = engine.execution_options(yard_write=True)
        self._active = threading.local()

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect; no table is read or made yet (see `catalog.migrate`)."""
        engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _prepare_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
        return cls(engine)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view. Inside another `read` or a `write` of this thread it is the same."""
        outer = getattr(self._active, "connection", None)
        if outer is not None:
            yield outer
            return
        with self.fresh() as connection:
            self._active.connection = connection
            try:
                yield connection
            finally:
                self._active.connection = None

    @contextmanager
    def fresh(self) -> Iterator[sa.Connection]:
        """The newest state, whatever view this thread has now."""
        with _translated(), self.engine.begin() as connection:
            yield connection

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in one transaction; again if the database chose it as a deadlock's victim.

        `work` must therefore have no effect outside the connection that can't be repeated.
        """
        for attempt in range(8):
            try:
                with _translated(), self._writes.begin() as connection, self._as_active(connection):
                    return work(connection)
            except _Retry as error:
                if attempt == 7:
                    raise error from error.__cause__
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)
        raise AssertionError

    def write_alone(self, work: Callable[[sa.Connection], T]) -> T:
        """`write`, while no other write transaction of any process is in flight."""
        return self.write(work)

    @contextmanager
    def _as_active(self, connection: sa.Connection) -> Iterator[None]:
        outer = getattr(self._active, "connection", None)
        self._active.connection = connection
        try:
            yield
        finally:
            self._active.connection = outer

    def now(self, connection: sa.Connection) -> int:
        """Microseconds since 1970 by the database's clock; the local one for SQLite."""
        if self.engine.dialect.name == "sqlite":
            return time.time_ns() // 1000
        text = {
            "postgresql": "SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint",
        }.get(self.engine.dialect.name, "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS INT)")
        return int(connection.execute(sa.text(text)).scalar_one())

    def close(self) -> None:
        self.engine.dispose()


class _Retry(Unavailable):
    """The transaction may succeed if run again."""

    def __init__(self) -> None:
        super().__init__("catalog-busy", "the catalog is busy", hint="try again in a moment")


@contextmanager
def _translated() -> Iterator[None]:
    """Database errors as ours, so that nobody above needs to know the driver."""
    try:
        yield
    except sa.exc.OperationalError as error:
        text = str(error.orig)
        if "locked" in text or "busy" in text or "deadlock" in text.lower():
            raise _Retry() from error
        if "readonly" in text:
            raise Denied(
                "no-permission", "the yard's folder can't be written by you",
                hint="reading needs it too: readers are noted beside the catalog",
            ) from None  # fmt: skip
        if "disk is full" in text or "disk I/O" in text:
            raise Unavailable(
                "catalog-write", f"the catalog can't be written: {text}", hint="free some disk"
            ) from None
        if "unable to open" in text:
            raise Unavailable("catalog-open", f"the catalog can't be opened: {text}") from None
        if "no such module: fts5" in text:
            raise Unsupported(
                "no-fts5", "this SQLite has no full-text search",
                hint="import modelyard and open the yard before tensorflow and sqlite3",
            ) from None  # fmt: skip
        raise
    except sa.exc.DatabaseError as error:
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            raise Corrupt(
                "catalog-damaged", "the catalog's file is damaged",
                hint="yard verify --rebuild makes it again from the store",
            ) from None  # fmt: skip
        raise


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={int(_BUSY_SECONDS * 1000)}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=OFF",
        "cache_size=-32000",
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


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("yard_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
