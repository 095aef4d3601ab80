"""PostgreSQL by psycopg 3: any number of writers, gate by advisory locks of transactions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.databases.interface import Lost, Mode, Retry, full, password, place_of
from modelyard.core.extras import need
from modelyard.errors import Denied, ModelyardError, NotFound, Unavailable

if TYPE_CHECKING:
    from modelyard.catalog.databases.interface import Database

__all__ = ["Postgresql"]

_GATE = "7955819"
_BEGIN: dict[Mode, str] = {
    "read": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "write": f"SELECT pg_advisory_xact_lock_shared({_GATE})",
    "soft": f"SELECT pg_advisory_xact_lock_shared({_GATE})",
    "alone": f"SELECT pg_advisory_xact_lock({_GATE})",
    "migrate": f"SELECT pg_advisory_xact_lock({_GATE})",
    "outlast": f"SELECT pg_advisory_xact_lock({_GATE})",
}
_NOW = sa.text("SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint")
_SESSION = (
    "SET lock_timeout = '60s'; SET timezone = 'UTC'; SET jit = off;"
    # a machine that died must not hold its locks for hours
    "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6;"
    # what is acknowledged is on the disk, whatever the server's default is
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)
_AGAIN = ("40001", "40P01", "55P03", "23505")
"""Serialization failure, deadlock, lock timeout, and a key that another session was first with."""
_DOWN = ("57P01", "57P02", "57P03", "08000", "08003", "08006", "25P03")


class Postgresql:
    """A database of a server. Passwords come from libpq's own places, or our variable."""

    def engine(self, url: sa.URL) -> sa.Engine:
        need("psycopg", "postgres")
        given = {"connect_timeout": 10, "application_name": "modelyard", "keepalives_idle": 60}
        connect = {name: value for name, value in given.items() if name not in url.query}
        secret = password()
        if secret is not None:
            connect["password"] = secret
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"), connect_args=connect,
            pool_pre_ping=True, pool_size=8, max_overflow=24, pool_recycle=3600,
            isolation_level="READ COMMITTED",
        )  # fmt: skip
        sa.event.listen(engine, "connect", _prepare)
        return engine

    def begin(self, connection: sa.Connection, mode: Mode) -> None:
        if mode == "outlast":
            connection.exec_driver_sql("SET LOCAL lock_timeout = '250ms'")
        if mode == "soft":
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        connection.exec_driver_sql(_BEGIN[mode])

    def now(self, connection: sa.Connection) -> int:
        return int(connection.execute(_NOW).scalar_one())

    def failure(self, error: sa.exc.SQLAlchemyError, url: sa.URL) -> ModelyardError | None:
        if isinstance(error, sa.exc.TimeoutError):
            return Retry()
        if not isinstance(error, sa.exc.DBAPIError):
            return None
        place = place_of(url)
        state = getattr(error.orig, "sqlstate", None)
        if state in _AGAIN:
            return Retry()
        if state in _DOWN or (state is None and error.connection_invalidated):
            return Lost(place)
        if state is None:
            # libpq refuses to connect without a state: its text is all there is
            return _unconnected(str(error.orig), place, url)
        return _told(state, place, url)


def _told(state: str, place: str, url: sa.URL) -> ModelyardError | None:
    match state:
        case "53100":
            return full(place)
        case "53300" | "53400":
            return Retry()
        case "53200":
            return Unavailable("catalog-write", f"the database on {place} is out of memory")
        case "25006":
            return Denied(
                "catalog-read-only", f"the database on {place} is read-only",
                hint="it may be a standby: name the primary",
            )  # fmt: skip
        case "42501":
            return no_rights(place, url)
        case "28P01" | "28000":
            return no_entry(place, "PGPASSWORD, ~/.pgpass")
        case "3D000":
            return no_database(place, url, f"createdb -h HOST -U USER {url.database}")
        case "58030" | "XX001" | "XX002":
            return Unavailable(
                "catalog-write", f"the disk of the database on {place} has errors",
                hint="ask its administrator",
            )  # fmt: skip
    return None


def _unconnected(text: str, place: str, url: sa.URL) -> ModelyardError | None:
    """libpq's words when no connection came about, as far as they are not translated."""
    if "password authentication failed" in text or "no password supplied" in text:
        return no_entry(place, "PGPASSWORD, ~/.pgpass")
    if "pg_hba.conf" in text or "authentication failed" in text:
        return no_entry(place, "PGPASSWORD, ~/.pgpass")
    if re.search(r'(role|database) ".*" does not exist', text):
        if 'role "' in text:
            return no_entry(place, "PGPASSWORD, ~/.pgpass")
        return no_database(place, url, f"createdb -h HOST -U USER {url.database}")
    if "starting up" in text or "shutting down" in text or "recovery mode" in text:
        return Lost(place)
    if "too many clients" in text or "remaining connection slots" in text:
        return Retry()
    return no_answer(place)


def no_entry(place: str, where: str) -> Denied:
    return Denied(
        "catalog-login", f"the database on {place} did not let you in",
        hint=f"the user is part of the URL; its password: YARD_CATALOG_PASSWORD, {where}",
    )  # fmt: skip


def no_rights(place: str, url: sa.URL) -> Denied:
    return Denied(
        "catalog-rights", f"the user may not do this in database {url.database} on {place}",
        hint=f"it needs all rights on {url.database}",
    )  # fmt: skip


def no_database(place: str, url: sa.URL, command: str) -> NotFound:
    return NotFound("no-database", f"there is no database {url.database} on {place}", hint=command)


def no_answer(place: str) -> Unavailable:
    return Unavailable(
        "catalog-unreachable", f"no database answers on {place}",
        hint="look at host and port of the catalog's URL, and whether the database runs",
    )  # fmt: skip


def _prepare(connection: Any, _record: object) -> None:
    autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(_SESSION)
    connection.autocommit = autocommit


if TYPE_CHECKING:
    _: Database = Postgresql()
