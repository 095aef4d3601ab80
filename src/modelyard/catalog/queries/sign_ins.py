"""Statements about browsers that are signed in, and about links that sign in once."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import sign_in

__all__ = ["SignInRow", "drop", "drop_all", "drop_old", "get", "open_one"]


class SignInRow(NamedTuple):
    """A row of `sign_in`."""

    hash: bytes
    account_id: int
    kind: str
    created: int
    expires: int


_GET = sa.select(*(sign_in.c[name] for name in SignInRow._fields)).where(
    sign_in.c.hash == sa.bindparam("secret"), sign_in.c.kind == sa.bindparam("wanted")
)
_DROP = sa.delete(sign_in).where(sign_in.c.hash == sa.bindparam("secret"))
_DROP_ALL = sa.delete(sign_in).where(sign_in.c.account_id == sa.bindparam("key"))
_DROP_OLD = sa.delete(sign_in).where(sign_in.c.expires < sa.bindparam("now"))


def get(connection: sa.Connection, secret: bytes, kind: str) -> SignInRow | None:
    row = connection.execute(_GET, {"secret": secret, "wanted": kind}).first()
    return None if row is None else SignInRow._make(row)


def open_one(connection: sa.Connection, row: SignInRow) -> None:
    connection.execute(sa.insert(sign_in), row._asdict())


def drop(connection: sa.Connection, secret: bytes) -> bool:
    """End one; False if it is not there: of two that use the same link, one gets True."""
    return connection.execute(_DROP, {"secret": secret}).rowcount == 1


def drop_all(connection: sa.Connection, account: int) -> None:
    """Sign an account out everywhere."""
    connection.execute(_DROP_ALL, {"key": account})


def drop_old(connection: sa.Connection, now: int) -> None:
    connection.execute(_DROP_OLD, {"now": now})
