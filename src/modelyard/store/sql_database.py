"""The SQL database behind a store: its URL, its tables, its transactions that are tried again."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from modelyard.errors import Denied, InvalidInput, ModelyardError, Unavailable
from modelyard.store.retries import patiently
from modelyard.store.sql_engines import ENGINES, PASSWORDS, parse
from modelyard.store.sql_errors import is_passing, translated

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OBJECTS", "PARTS", "UPLOADS", "Database", "now"]

P = ParamSpec("P")
T = TypeVar("T")

_METADATA = sa.MetaData()
_KEY = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
_KEY = _KEY.with_variant(mysql.VARCHAR(200, charset="utf8mb4", collation="utf8mb4_bin"), "mysql")
_DATA = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")

OBJECTS = sa.Table(
    "yard_store_object", _METADATA,
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("upload", sa.BigInteger, nullable=False),  # random, never again
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("part_size", sa.Integer, nullable=False),
    sa.Column("modified", sa.BigInteger, nullable=False),  # microseconds, the database's clock
    mysql_engine="InnoDB",
)  # fmt: skip
PARTS = sa.Table(
    "yard_store_part", _METADATA,
    sa.Column("upload", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", _DATA, nullable=False),
    mysql_engine="InnoDB",
)  # fmt: skip
UPLOADS = sa.Table(
    "yard_store_upload", _METADATA,  # the parts that belong to no object yet
    sa.Column("upload", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("touched", sa.BigInteger, nullable=False),
    mysql_engine="InnoDB",
)  # fmt: skip

_PATIENCE = 30.0  # seconds: a database that restarts is back by then
_FIRST_PATIENCE = 3.0  # of one that has never answered
_CREATE_LOCK = 0x79617264  # "yard"


class Database:
    """Connections, tables and transactions. Threads and processes may use one database at once."""

    def __init__(self, url: str) -> None:
        self._url = parse(url)
        self.place = self._url.set(drivername=self._url.get_backend_name()).render_as_string()
        self.dialect = self._url.get_backend_name()
        self._secrets = [s for name in PASSWORDS if (s := os.environ.get(name))]
        self._engine = ENGINES[self.dialect](self._url)
        quick = "AUTOCOMMIT" if self.dialect == "postgresql" else None
        self._reads = (
            self._engine.execution_options(isolation_level=quick) if quick else self._engine
        )
        self._writes = self._engine.execution_options(yard_write=True)
        self._lock = threading.Lock()
        self._is_ready = False

    def read(
        self, work: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work` returns. It may be called again; each of its statements sees the newest."""
        self._make_tables()
        return self._patiently(lambda: self._once(self._reads, work, *args, **kwargs))

    def write(
        self, work: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` in one transaction, durable on return.

        It is run again after a deadlock or a lost connection, also if only the reply to COMMIT was
        lost: `work` must do no harm when its effect is there already.
        """
        self._make_tables()
        return self._patiently(lambda: self._once(self._writes, work, *args, **kwargs))

    def close(self) -> None:
        self._engine.dispose()

    def _make_tables(self) -> None:
        with self._lock:
            if self._is_ready:
                return
            if self.dialect == "sqlite":
                self._make_folder()
            self._patiently(lambda: self._once(self._writes, _create))
            self._is_ready = True

    def _make_folder(self) -> None:
        try:
            Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
        except PermissionError as error:
            raise Denied("store-permission", f"{error.filename}: {error.strerror}") from None
        except OSError as error:
            raise Unavailable("store-io", f"{error.filename}: {error.strerror}") from None

    def _once(
        self,
        engine: sa.Engine,
        work: Callable[Concatenate[sa.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        with engine.connect() as connection:
            try:
                with connection.begin():
                    return work(connection, *args, **kwargs)
            except Exception as error:
                if not isinstance(error, sa.exc.DBAPIError) and is_passing(error):
                    connection.invalidate(error)  # raised by the driver, behind SQLAlchemy's back
                raise

    def _patiently(self, work: Callable[[], T]) -> T:
        try:
            if self.dialect == "sqlite":
                return work()  # it waits for locks by itself, and has no server that restarts
            return patiently(work, is_passing, _PATIENCE if self._is_ready else _FIRST_PATIENCE)
        except ModelyardError:
            raise
        except Exception as error:
            if not _is_of_database(error):
                raise
            raise translated(error, self.place, self._secrets) from None


def now(connection: sa.Connection) -> sa.ColumnElement[int]:
    """Microseconds since 1970 by the database's clock."""
    return sa.literal_column(_NOW[connection.dialect.name], sa.BigInteger)


def _is_of_database(error: BaseException) -> bool:
    if isinstance(error, TypeError) and "unexpected keyword argument" in str(error):
        return True  # how PyMySQL refuses a word of the URL's query
    names = {cls.__module__.partition(".")[0] for cls in type(error).__mro__}
    return bool(names & {"sqlalchemy", "psycopg", "pymysql", "sqlite3"}) or isinstance(
        error, OSError
    )


_NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "postgresql": "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
}


def _create(connection: sa.Connection) -> None:
    """Make what is missing. Of several processes that begin at once, one does it."""
    found = sa.inspect(connection)
    if found.has_table(UPLOADS.name):  # the last that is made
        return
    if connection.dialect.name == "sqlite" and found.has_table("alembic_version"):
        raise InvalidInput(
            "bad-store-url", "this file is the catalog of a yard",
            hint="give the store a file of its own: the two would wait for each other",
        )  # fmt: skip
    postgres = connection.dialect.name == "postgresql"
    if postgres:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATE_LOCK)))
    for table in (OBJECTS, PARTS, UPLOADS):
        connection.execute(CreateTable(table, if_not_exists=True))
        if (
            postgres and table is PARTS
        ):  # not compressed, so that substring() reads only what it needs
            connection.exec_driver_sql(
                "ALTER TABLE yard_store_part ALTER data SET STORAGE EXTERNAL"
            )
