"""Statements about accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import account

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AccountRow", "by_id", "by_name", "by_subject", "count", "create", "listed", "update"]


class AccountRow(NamedTuple):
    """A row of `account`."""

    id: int
    name: str
    kind: str
    title: str
    password: str
    """As argon2id writes it; empty if there is none."""
    subject: str
    """Issuer and subject of OIDC, separated by a blank; empty if there is none."""
    created: int
    disabled: int


_SELECT = sa.select(*(account.c[name] for name in AccountRow._fields))
_BY_ID = _SELECT.where(account.c.id == sa.bindparam("key"))
_BY_NAME = _SELECT.where(account.c.name == sa.bindparam("name"))
_BY_SUBJECT = _SELECT.where(account.c.subject == sa.bindparam("subject"))
_COUNT = sa.select(sa.func.count()).select_from(account)


def by_id(connection: sa.Connection, key: int) -> AccountRow | None:
    row = connection.execute(_BY_ID, {"key": key}).first()
    return None if row is None else AccountRow._make(row)


def by_name(connection: sa.Connection, name: str) -> AccountRow | None:
    row = connection.execute(_BY_NAME, {"name": name}).first()
    return None if row is None else AccountRow._make(row)


def by_subject(connection: sa.Connection, subject: str) -> AccountRow | None:
    """Whose OIDC login this is."""
    row = connection.execute(_BY_SUBJECT, {"subject": subject}).first() if subject else None
    return None if row is None else AccountRow._make(row)


def count(connection: sa.Connection) -> int:
    return int(connection.execute(_COUNT).scalar_one())


def listed(connection: sa.Connection) -> Iterator[AccountRow]:
    """All accounts by name."""
    return map(AccountRow._make, connection.execute(_SELECT.order_by(account.c.name)).all())


def create(connection: sa.Connection, **values: object) -> int:
    """A new account; IntegrityError if there is one of this name."""
    key = connection.execute(sa.insert(account), values).inserted_primary_key
    return int(key[0]) if key else 0


def update(connection: sa.Connection, key: int, **values: Any) -> None:
    """Change what an account is; its name stays for ever."""
    bound: dict[str, Any] = {name: sa.bindparam(f"v_{name}") for name in values}
    statement = sa.update(account).where(account.c.id == sa.bindparam("row_key")).values(**bound)
    given = {f"v_{name}": value for name, value in values.items()}
    connection.execute(statement, {"row_key": key, **given})
