"""Statements about tokens. What is kept of one is the SHA-256 of its secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import token

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TokenRow", "by_id", "create", "of_account", "replace", "revoke", "used"]


class TokenRow(NamedTuple):
    """A row of `token`."""

    id: int
    account_id: int
    name: str
    hash: bytes
    role: str
    models: str
    """Patterns, separated by blanks."""
    created: int
    expires: int
    used: int
    revoked: int


_SELECT = sa.select(*(token.c[name] for name in TokenRow._fields))
_BY_ID = _SELECT.where(token.c.id == sa.bindparam("key"))
_OF = _SELECT.order_by(token.c.id.desc())
_USED = (
    sa.update(token)
    .where(token.c.id == sa.bindparam("key"), token.c.used < sa.bindparam("hour"))
    .values(used=sa.bindparam("hour"))
)
_REVOKE = (
    sa.update(token)
    .where(token.c.id == sa.bindparam("key"), token.c.revoked == 0)
    .values(revoked=sa.bindparam("now"))
)
_REPLACE = (
    sa.update(token)
    .where(token.c.id == sa.bindparam("key"), token.c.revoked == 0)
    .values(hash=sa.bindparam("secret"), created=sa.bindparam("now"), expires=sa.bindparam("until"))
)


def by_id(connection: sa.Connection, key: int) -> TokenRow | None:
    row = connection.execute(_BY_ID, {"key": key}).first()
    return None if row is None else TokenRow._make(row)._replace(hash=bytes(row.hash))


def of_account(connection: sa.Connection, account: int | None) -> Iterator[TokenRow]:
    """The tokens of one account, or of all; newest first."""
    statement = _OF if account is None else _OF.where(token.c.account_id == account)
    return map(TokenRow._make, connection.execute(statement).all())


def create(connection: sa.Connection, **values: object) -> int:
    key = connection.execute(sa.insert(token), values).inserted_primary_key
    return int(key[0]) if key else 0


def used(connection: sa.Connection, key: int, hour: int) -> None:
    """Note that a token was shown in the hour that begins then."""
    connection.execute(_USED, {"key": key, "hour": hour})


def revoke(connection: sa.Connection, key: int, now: int) -> bool:
    """Take a token back; False if it was already."""
    return connection.execute(_REVOKE, {"key": key, "now": now}).rowcount == 1


def replace(connection: sa.Connection, key: int, secret: bytes, now: int, until: int) -> bool:
    """Give a token another secret; False if it was revoked."""
    values = {"key": key, "secret": secret, "now": now, "until": until}
    return connection.execute(_REPLACE, values).rowcount == 1
