"""Connections to the SQL databases: what differs between them, and where passwords come from."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.core.extras import need
from modelyard.core.sqlite import sqlite3
from modelyard.errors import InvalidInput
from modelyard.store.sql_errors import is_passing

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENGINES", "PASSWORDS", "parse"]

PASSWORDS = ("YARD_STORE_PASSWORD", "MYSQL_PWD", "PGPASSWORD")


def parse(text: str) -> sa.URL:
    """A URL without a password. InvalidInput `bad-store-url`, `secret-in-url`."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise InvalidInput("bad-store-url", "this is no URL of a database") from None
    name = {"mariadb": "mysql"}.get(url.get_backend_name(), url.get_backend_name())
    if name not in ENGINES:
        raise InvalidInput("bad-store-url", f"{name} is no database that can be a store")
    if url.password is not None or {"password", "passwd"} & set(url.query):
        raise InvalidInput(
            "secret-in-url", "a store's URL may hold no password",
            hint="put it into YARD_STORE_PASSWORD, ~/.pgpass or ~/.my.cnf",
        )  # fmt: skip
    if name == "mysql" and not url.database:
        raise InvalidInput("bad-store-url", "the URL names no database", hint="mysql://host/yard")
    if name == "sqlite" and url.database in (None, "", ":memory:"):
        raise InvalidInput("bad-store-url", "sqlite:///FILE names the file", hint="or memory://")
    return url.set(drivername=name)


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, module=sqlite3, pool_size=8, max_overflow=8)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is said below
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=60000")
        cursor.execute("PRAGMA page_size=16384")  # of a new file: half the CPU of 4 KiB
        _to_wal(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA journal_size_limit=67108864")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("yard_write", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _to_wal(cursor: Any) -> None:
    """The switch to WAL needs the file alone for a moment, and does not wait by itself."""
    for wait in (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 0.0):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except Exception as error:
            if not wait or not is_passing(error):
                raise
            time.sleep(wait)


def _postgres_engine(url: sa.URL) -> sa.Engine:
    need("psycopg", "postgres")
    arguments: dict[str, Any] = {
        "connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 60_000,
        "application_name": "modelyard", "prepare_threshold": None,  # poolers lose what is prepared
    }  # fmt: skip
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    if password := os.environ.get("YARD_STORE_PASSWORD"):
        arguments["password"] = password  # else libpq looks: PGPASSWORD, ~/.pgpass, services
    engine = _server_engine(url.set(drivername="postgresql+psycopg"), arguments)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        """What is acknowledged is on the disk, whatever the server's default is."""
        connection.execute("SELECT set_config('synchronous_commit', 'on', false)"
                           " WHERE current_setting('synchronous_commit') = 'off'")  # fmt: skip
        connection.commit()

    return engine


def _mysql_engine(url: sa.URL) -> sa.Engine:
    need("pymysql", "mysql")
    arguments: dict[str, Any] = {
        "connect_timeout": 10, "read_timeout": 300, "write_timeout": 300,
        # All text is ASCII. In this charset the server reads literals of bytes twice as fast as
        # in UTF-8, and without backslashes only the quote is to be doubled.
        "charset": "latin1",
        "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
    }  # fmt: skip
    if password := os.environ.get("YARD_STORE_PASSWORD") or os.environ.get("MYSQL_PWD"):
        arguments["password"] = password
    options = Path("~/.my.cnf").expanduser()
    if options.is_file():
        arguments["read_default_file"] = str(options)
    engine = _server_engine(url.set(drivername="mysql+pymysql"), arguments)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            record.info["yard_packet"] = int(cursor.fetchone()[0])

    return engine


def _server_engine(url: sa.URL, arguments: dict[str, Any]) -> sa.Engine:
    return sa.create_engine(
        url, connect_args=arguments, pool_pre_ping=True, pool_size=8, max_overflow=8,
        pool_recycle=1800, pool_use_lifo=True,
    )  # fmt: skip


ENGINES: dict[str, Callable[[sa.URL], sa.Engine]] = {
    "sqlite": _sqlite_engine, "postgresql": _postgres_engine, "mysql": _mysql_engine,
}  # fmt: skip
