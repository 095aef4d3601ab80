"""What an account may do, from the rows of roles; and what somebody at the yard's folder may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from modelyard.catalog.queries import roles
from modelyard.core.access import ANYBODY, EVERYONE, NOBODY, Account, Caller, Grant, Role, at_least
from modelyard.errors import Denied

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.accounts import AccountRow
    from modelyard.registry.house import House

__all__ = ["OWNER", "account_of", "acting", "caller_for", "grants_of", "need"]

OWNER = "owner"
"""Who works at the yard's own folder, in place of an account's name. No account is called so."""

_OWNER = Caller(account=None, grants=(Grant("*", "admin"),))


def grants_of(connection: sa.Connection, account: int | None) -> tuple[Grant, ...]:
    """Of an account, with what everybody has; of somebody who is not signed in without one."""
    keys = [ANYBODY] if account is None else [ANYBODY, EVERYONE, account]
    rows = roles.of(connection, *keys)
    return tuple(Grant(row.pattern, cast("Role", row.role), row.account_id <= 0) for row in rows)


def account_of(row: AccountRow) -> Account:
    kind: Literal["user", "service"] = "service" if row.kind == "service" else "user"
    return Account(id=row.id, name=row.name, kind=kind, title=row.title)


def caller_for(connection: sa.Connection, row: AccountRow) -> Caller:
    """An account with all that it may, as if it had just signed in."""
    return Caller(account=account_of(row), grants=grants_of(connection, row.id))


def acting(house: House) -> Caller:
    """For whom the house works; whoever has the yard's folder may do everything."""
    return _OWNER if house.caller is NOBODY else house.caller


def need(house: House, pattern: str, role: Role) -> Caller:
    """Who works, if the role for all models of a pattern is this one. Denied: `not-allowed`."""
    caller = acting(house)
    if not at_least(caller.role_over(pattern), role):
        if caller.account is None:
            raise Denied("not-signed-in", "say who you are", hint="yard login URL")
        raise Denied(
            "not-allowed", f"this takes the role {role} for {pattern!r}",
            hint="yard role list shows who gives it",
        )  # fmt: skip
    return caller
