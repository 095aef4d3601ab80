"""MySQL and MariaDB by PyMySQL: any number of writers, gate by locks on one row of `fact`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.databases.interface import Lost, Mode, Retry, full, password, place_of
from modelyard.catalog.databases.postgresql import no_answer, no_database, no_entry, no_rights
from modelyard.core.extras import need
from modelyard.errors import Denied, ModelyardError, Unavailable

if TYPE_CHECKING:
    from modelyard.catalog.databases.interface import Database

__all__ = ["Mysql"]

_LOCK = {
    "write": "SELECT 1 FROM fact WHERE name = 'gate' LOCK IN SHARE MODE",
    "soft": "SELECT 1 FROM fact WHERE name = 'gate' LOCK IN SHARE MODE",
    "alone": "SELECT 1 FROM fact WHERE name = 'gate' FOR UPDATE",
}
_NOW = sa.text("SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)")
_LOCK_SECONDS = 60
_SESSION = (
    f"SET SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = {_LOCK_SECONDS},"
    " SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'"
)
_AGAIN = (1205, 1213, 1062, 1020, 3572, 1040, 1203, 1226)
"""Lock timeout, deadlock, a key another session was first with, too many connections."""
_DONE = (1050, 1051, 1060, 1061, 1062, 1091)
"""The table, column, index or row that is to be made is there, or what is to be dropped is not."""
_NO_TABLE = 1146
_DOWN = (2006, 2013, 2055, 1053, 1077, 1079, 1927, 4031)
_FULL = (1021, 1114, 3, 1030)


class Mysql:
    """A database of a server. The password comes from the environment or `~/.my.cnf`."""

    def engine(self, url: sa.URL) -> sa.Engine:
        need("pymysql", "mysql")
        given: dict[str, Any] = {
            "connect_timeout": 10, "read_timeout": 600, "write_timeout": 600,
            "charset": "utf8mb4", "read_default_file": "~/.my.cnf",
        }  # fmt: skip
        connect = {name: value for name, value in given.items() if name not in url.query}
        secret = password("MYSQL_PWD")
        if secret is not None:
            connect["password"] = secret
        engine = sa.create_engine(
            url.set(drivername="mysql+pymysql"), connect_args=connect,
            pool_pre_ping=True, pool_size=8, max_overflow=24, pool_recycle=3600,
        )  # fmt: skip
        sa.event.listen(engine, "connect", _prepare)
        sa.event.listen(engine, "do_execute", _pass_what_is_done)
        return engine

    def begin(self, connection: sa.Connection, mode: Mode) -> None:
        if mode == "read":
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            return
        if mode == "migrate":
            _lock_schema(connection)
            return
        if mode == "outlast":
            _lock_soon(connection)
            return
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.exec_driver_sql(_LOCK[mode])

    def now(self, connection: sa.Connection) -> int:
        return int(connection.execute(_NOW).scalar_one())

    def failure(self, error: sa.exc.SQLAlchemyError, url: sa.URL) -> ModelyardError | None:
        if isinstance(error, sa.exc.TimeoutError):
            return Retry()
        if not isinstance(error, sa.exc.DBAPIError):
            return None
        number = error.orig.args[0] if error.orig is not None and error.orig.args else None
        return _told(number, error, place_of(url), url)


def _told(
    number: object, error: sa.exc.DBAPIError, place: str, url: sa.URL
) -> ModelyardError | None:
    if number in _AGAIN:
        return Retry()
    if number in _DOWN or error.connection_invalidated:
        return Lost(place)
    if number in _FULL:
        return full(place)
    match number:
        case 1290 | 1792 | 1836:
            return Denied(
                "catalog-read-only", f"the database on {place} is read-only",
                hint="it may be a replica: name the primary",
            )  # fmt: skip
        case 1142 | 1143 | 1227 | 1370:
            return no_rights(place, url)
        case 1044:
            return no_rights(place, url)
        case 1045 | 1698 | 1130 | 1251:
            return no_entry(place, "MYSQL_PWD, ~/.my.cnf")
        case 1049:
            return no_database(place, url, f"mysql -e 'CREATE DATABASE {url.database}'")
        case 1153:
            return Unavailable(
                "catalog-write", f"the database on {place} takes no statement of this size",
                hint="SET GLOBAL max_allowed_packet = 67108864",
            )  # fmt: skip
        case 2002 | 2003 | 2005:
            return no_answer(place)
    return None


def _lock_soon(connection: sa.Connection) -> None:
    wait = "SET SESSION innodb_lock_wait_timeout = "
    connection.exec_driver_sql(f"{wait}1")
    try:
        connection.exec_driver_sql(_LOCK["alone"])
    finally:
        connection.exec_driver_sql(f"{wait}{_LOCK_SECONDS}")


def _lock_schema(connection: sa.Connection) -> None:
    """Each DDL statement commits, which no lock on rows survives: the session itself holds this."""
    connection.detach()  # so the lock goes with the connection, which is closed afterwards
    connection.execution_options(yard_migrates=True)
    name = "CONCAT('modelyard.', MD5(DATABASE()))"
    if connection.exec_driver_sql(f"SELECT GET_LOCK({name}, 60)").scalar_one() != 1:
        raise Retry


def _pass_what_is_done(
    cursor: Any, statement: str, parameters: Any, context: sa.ExecutionContext
) -> bool:
    """A migration that was interrupted is run again from its beginning."""
    if not context.execution_options.get("yard_migrates"):
        return False
    try:
        cursor.execute(statement, parameters)
    except Exception as error:
        number = error.args[0] if error.args else None
        dropped = number == _NO_TABLE and statement.lstrip().startswith("DROP")
        if number not in _DONE and not dropped:
            raise
    return True


def _prepare(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)


if TYPE_CHECKING:
    _: Database = Mysql()
