"""Who has a catalog open, and being the only one.

Every open house is present: on PostgreSQL by a shared advisory lock of a session, on MySQL, whose
named locks are never shared, by one of many seats. Who wants to be alone takes the lock for itself,
or all seats. Both go with the connection, so nobody who died is present. A SQLite catalog needs
none of this: its house locks a file in the yard's folder.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Presence"]

_LOCK = 7_955_820
_SEATS = 256
_LEAVING = 1.5
"""Seconds."""


class Presence:
    """One open house. Conflict: `yard-in-use`, somebody else is alone with it now."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: sa.Connection | None = None
        self._seat = 0
        self._name = "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
        if self._name != "sqlite":
            self._come()

    def renew(self) -> None:
        """Be present again if the database was restarted. Conflict: `yard-in-use`.

        Unavailable: `catalog-connection`.
        """
        if self._name == "sqlite" or self._is_connected():
            return
        self.close()
        try:
            self._come()
        except sa.exc.SQLAlchemyError:
            raise Unavailable(
                "catalog-connection", "the connection to the catalog broke",
                hint="try again when the database is up",
            ) from None  # fmt: skip

    def check_alone(self) -> None:
        """Nobody can have come since `alone` began. Conflict: `yard-in-use`."""
        if self._name != "sqlite" and not self._is_connected():
            raise _in_use()

    def _is_connected(self) -> bool:
        """Whether this is the very connection that took the locks, which go only with it."""
        try:
            return self._ask("SELECT 1")
        except sa.exc.SQLAlchemyError:
            return False

    def _come(self) -> None:
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.detach()  # it lives as long as the house, and no pool ever has it again
        try:
            if self._name == "mysql":
                self._connection.exec_driver_sql("SET SESSION wait_timeout = 2147483")
            if not self._enter():
                raise _in_use()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else has it open, and nobody opens it meanwhile. Conflict: `yard-in-use`."""
        if self._name == "sqlite":
            yield
            return
        self.renew()
        try:
            if not self._take_all_soon():
                raise _in_use()
            yield
        finally:
            with suppress(sa.exc.SQLAlchemyError):  # then it held nothing any more
                self._give_back()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sa.exc.SQLAlchemyError):
                connection.close()

    def _ask(self, statement: str, **values: object) -> bool:
        if self._connection is None or self._connection.invalidated:
            raise sa.exc.InvalidRequestError("a new connection would hold no lock")
        return bool(self._connection.execute(sa.text(statement), values).scalar())

    def _enter(self) -> bool:
        if self._name == "postgresql":
            return self._ask("SELECT pg_try_advisory_lock_shared(:k)", k=_LOCK)
        for seat in random.sample(range(_SEATS), _SEATS):
            if self._ask(_GET, n=str(seat)):
                self._seat = seat
                return True
        return False

    def _take_all_soon(self) -> bool:
        """Databases end a session some time after its connection: who has just left may be there
        for a moment yet.
        """
        until = time.monotonic() + _LEAVING
        while not self._take_all():
            if time.monotonic() > until:
                return False
            self._give_back()
            time.sleep(0.05)
        return True

    def _take_all(self) -> bool:
        if self._name == "postgresql":
            return self._ask("SELECT pg_try_advisory_lock(:k)", k=_LOCK)
        others = (seat for seat in range(_SEATS) if seat != self._seat)
        return all(self._ask(_GET, n=str(seat)) for seat in others)

    def _give_back(self) -> None:
        if self._name == "postgresql":
            self._ask("SELECT pg_advisory_unlock(:k)", k=_LOCK)
            return
        for seat in range(_SEATS):
            if seat != self._seat:
                self._ask(_RELEASE, n=str(seat))


_SEAT = "CONCAT('yard.', LEFT(MD5(DATABASE()), 24), '.', :n)"
_GET = f"SELECT GET_LOCK({_SEAT}, 0)"
_RELEASE = f"SELECT RELEASE_LOCK({_SEAT})"


def _in_use() -> Conflict:
    return Conflict("yard-in-use", "others use this yard", hint="end them, then try again")
