"""What a database must do to hold a catalog."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, Protocol

from modelyard.errors import ModelyardError, Unavailable

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["PASSWORD", "Database", "Lost", "Mode", "Retry", "full", "password", "place_of"]

Mode = Literal["read", "write", "soft", "alone", "migrate", "outlast"]
"""`write` runs beside others of its kind; `alone` waits until none is in flight, and bars them.

`migrate` bars others that migrate; statements that were done before it was interrupted are passed.
`outlast` is `alone`, but gives up soon, with `Retry`.
"""

PASSWORD = "YARD_CATALOG_PASSWORD"
"""The variable that holds the password of a catalog's user, whatever the database."""


class Retry(Unavailable):
    """The transaction was undone, and may succeed if run again."""

    def __init__(self) -> None:
        super().__init__("catalog-busy", "the catalog is busy", hint="try again in a moment")


class Lost(Unavailable):
    """The connection broke; unless it was at COMMIT, the transaction was undone."""

    def __init__(self, place: str) -> None:
        super().__init__(
            "catalog-connection", f"the connection to the catalog on {place} broke",
            hint="try again when the database is up",
        )  # fmt: skip


class Database(Protocol):
    """One kind of database. Errors that `failure` does not know stay as they are."""

    def engine(self, url: sa.URL) -> sa.Engine:
        """Connections to it; none is made yet. Unsupported: `no-extra`."""

    def begin(self, connection: sa.Connection, mode: Mode) -> None:
        """The first statements of a transaction."""

    def now(self, connection: sa.Connection) -> int:
        """Microseconds since 1970 by the database's clock."""

    def failure(self, error: sa.exc.SQLAlchemyError, url: sa.URL) -> ModelyardError | None:
        """A driver's error as ours, without secrets."""


def password(*others: str) -> str | None:
    """The password that the environment holds, by our variable or the database's own."""
    return next((os.environ[name] for name in (PASSWORD, *others) if name in os.environ), None)


def place_of(url: sa.URL) -> str:
    """A server as people know it."""
    host = url.host or "this machine"
    return f"{host}:{url.port}" if url.port else host


def full(place: str) -> Unavailable:
    return Unavailable(
        "catalog-write", f"the catalog on {place} can't be written: its disk is full",
        hint="free some disk on the database's machine",
    )  # fmt: skip
