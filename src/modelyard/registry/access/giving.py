"""Roles: given and taken by whoever is admin of all that a pattern stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import accounts, roles
from modelyard.catalog.queries.roles import RoleRow
from modelyard.core.access import (
    ANYBODY,
    EVERYONE,
    Role,
    at_least,
    check_pattern,
    parse_role,
)
from modelyard.core.people import Given
from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.access.accounts import find_account, keep_an_admin
from modelyard.registry.access.notes import write_note
from modelyard.registry.access.rights import OWNER, acting, need
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["all_roles", "give_role", "take_role"]

_SHARED = {"everyone": EVERYONE, "anybody": ANYBODY}
_HIGHEST: dict[int, Role] = {EVERYONE: "writer", ANYBODY: "reader"}


def give_role(house: House, account: str, pattern: str, role: Role) -> Given:
    """Give an account, `everyone` or `anybody` a role, in place of the one for this pattern.

    Raises:
        Denied: `not-allowed`: it takes an admin of all that the pattern stands for.
        InvalidInput: `bad-role`, `bad-pattern`. NotFound: `no-account`. Conflict: `last-admin`.
    """
    check_pattern(pattern)
    parse_role(role)
    need(house, pattern, "admin")

    def work(connection: sa.Connection) -> Given:
        key = _key(connection, account)
        if key in _HIGHEST and not at_least(_HIGHEST[key], role):
            raise InvalidInput(
                "bad-role", f"{account} may be {_HIGHEST[key]} at most", hint="name an account"
            )
        admins = roles.admins(connection)
        old = roles.get(connection, key, pattern)
        now, who = house.catalog.now(connection), house.caller.name or OWNER
        roles.put(connection, RoleRow(key, pattern, role, now, who))
        keep_an_admin(connection, admins)
        told = {"account": account, "pattern": pattern, "role": role}
        write_note(house, connection, "role", {**told, "before": old.role if old else None})
        return Given(account=account, pattern=pattern, role=role, who=who, created=moment(now))

    return house.catalog.write_alone(work)


def take_role(house: House, account: str, pattern: str) -> Given:
    """Forget a role; wider patterns hold again. NotFound: `no-role`; as `give_role` else."""
    check_pattern(pattern)
    need(house, pattern, "admin")

    def work(connection: sa.Connection) -> Given:
        key = _key(connection, account)
        admins = roles.admins(connection)
        old = roles.get(connection, key, pattern)
        if old is None:
            raise NotFound(
                "no-role", f"{account} has no role for {pattern!r}", hint="yard role list"
            )
        roles.remove(connection, key, pattern)
        keep_an_admin(connection, admins)
        told = {"account": account, "pattern": pattern, "role": old.role}
        write_note(house, connection, "role-taken", told)
        return _value(old, account)

    return house.catalog.write_alone(work)


def all_roles(house: House) -> list[Given]:
    """Those that whoever asks may give, and what they have themselves."""
    caller = acting(house)
    with house.catalog.read() as connection:
        names = {row.id: row.name for row in accounts.listed(connection)}
        rows = roles.listed(connection)
    names.update({key: name for name, key in _SHARED.items()})
    own = {caller.id, ANYBODY} | ({EVERYONE} if caller.account else set())
    return [
        _value(row, names[row.account_id])
        for row in rows
        if row.account_id in names
        and (at_least(caller.role_over(row.pattern), "admin")
             or (row.account_id in own and caller.may(row.pattern, "reader")))
    ]  # fmt: skip


def _key(connection: sa.Connection, account: str) -> int:
    known = _SHARED.get(account)
    return find_account(connection, account).id if known is None else known


def _value(row: RoleRow, account: str) -> Given:
    return Given(
        account=account, pattern=row.pattern, role=parse_role(row.role), who=row.who,
        created=moment(row.created),
    )  # fmt: skip
