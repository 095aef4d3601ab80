"""Statements about roles: which account has which one for which models."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries import dialects
from modelyard.catalog.schema import account, role

__all__ = ["RoleRow", "admins", "get", "listed", "of", "put", "remove"]


class RoleRow(NamedTuple):
    """A row of `role`."""

    account_id: int
    pattern: str
    role: str
    created: int
    who: str


_SELECT = sa.select(*(role.c[name] for name in RoleRow._fields))
_OF = _SELECT.where(
    role.c.account_id.in_([sa.bindparam("first"), sa.bindparam("second"), sa.bindparam("third")])
).order_by(role.c.pattern)
_THIS = sa.and_(role.c.account_id == sa.bindparam("key"), role.c.pattern == sa.bindparam("p"))
_ADMINS = (
    sa.select(sa.func.count())
    .join_from(role, account, account.c.id == role.c.account_id)
    .where(role.c.pattern == "*", role.c.role == "admin", account.c.disabled == 0)
)


def of(connection: sa.Connection, *accounts: int) -> list[RoleRow]:
    """All grants of one to three accounts, by pattern. Every request asks this."""
    first, second, third = (*accounts, accounts[0], accounts[0])[:3]
    rows = connection.execute(_OF, {"first": first, "second": second, "third": third})
    return [RoleRow._make(row) for row in rows]


def listed(connection: sa.Connection) -> list[RoleRow]:
    """All grants, by pattern and account."""
    statement = _SELECT.order_by(role.c.pattern, role.c.account_id)
    return [RoleRow._make(row) for row in connection.execute(statement)]


def get(connection: sa.Connection, account: int, pattern: str) -> RoleRow | None:
    row = connection.execute(_SELECT.where(_THIS), {"key": account, "p": pattern}).first()
    return None if row is None else RoleRow._make(row)


def put(connection: sa.Connection, row: RoleRow) -> None:
    """Give a role, in place of the one that the account had for the same pattern."""
    dialects.put(connection, role, [row._asdict()])


def remove(connection: sa.Connection, account: int, pattern: str) -> bool:
    statement = sa.delete(role).where(_THIS)
    return connection.execute(statement, {"key": account, "p": pattern}).rowcount == 1


def admins(connection: sa.Connection) -> int:
    """How many accounts that can sign in are admin of the whole yard."""
    return int(connection.execute(_ADMINS).scalar_one())
