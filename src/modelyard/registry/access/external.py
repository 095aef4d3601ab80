"""Accounts of those who sign in elsewhere: found by issuer and subject, which never change.

An e-mail address finds an account only once, if its issuer says that it is verified: the one that
an admin made for it beforehand, or a new one if its domain is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING

from modelyard.catalog.queries import accounts, roles
from modelyard.catalog.queries.roles import RoleRow
from modelyard.errors import Denied
from modelyard.history.commits import clean_author
from modelyard.registry.access.accounts import check_name
from modelyard.registry.access.notes import write_note
from modelyard.registry.access.rights import account_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.accounts import AccountRow
    from modelyard.core.access import Account, Role
    from modelyard.registry.house import House

__all__ = ["GroupRole", "Outsider", "sign_in_outsider"]

BY_GROUP = "groups"
"""Who gave a role that follows from a group: only such are taken again. No account's name."""
_LONGEST_SUBJECT = 400
_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsider:
    """What an issuer says of somebody who signed in there."""

    issuer: str
    subject: str
    email: str | None
    """Only if it is verified."""
    name: str
    """For people."""
    handle: str
    """What the account may be called."""
    groups: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        return f"{self.issuer} {self.subject}"


@dataclass(frozen=True, slots=True)
class GroupRole:
    """The role that members of a group have."""

    group: str
    role: Role
    pattern: str


def sign_in_outsider(
    house: House, who: Outsider, *, domains: Sequence[str], groups: Sequence[GroupRole]
) -> Account:
    """The account of somebody, made or taken over if this is the first time.

    Args:
        domains: Of e-mail addresses whose owners get an account.
        groups: What groups may: such roles are given and taken at each sign-in.

    Raises:
        Denied: `not-invited`.
    """

    def work(connection: sa.Connection) -> Account:
        row = accounts.by_subject(connection, who.key) or _prepared(house, connection, who)
        if row is None and _domain(who.email) in domains:
            row = _new(house, connection, who)
        if row is None or row.disabled or len(who.key) > _LONGEST_SUBJECT:
            raise Denied(
                "not-invited", "there is no account here for whom you signed in as",
                hint="ask an admin of this yard",
            )  # fmt: skip
        _follow(house, connection, row, who, groups)
        return account_of(row)

    return house.catalog.write_alone(work)


def _prepared(house: House, connection: sa.Connection, who: Outsider) -> AccountRow | None:
    """The one account that an admin made with this e-mail address and nothing to sign in by."""
    if who.email is None:
        return None
    found = [
        row
        for row in accounts.listed(connection)
        if parseaddr(row.title)[1].lower() == who.email.lower()
        and row.kind == "user" and not (row.subject or row.password or row.disabled)
    ]  # fmt: skip
    if len(found) != 1:
        return None
    accounts.update(connection, found[0].id, subject=who.key)
    told = {"name": found[0].name, "issuer": who.issuer, "email": who.email}
    write_note(house, connection, "account-linked", told)
    return found[0]


def _new(house: House, connection: sa.Connection, who: Outsider) -> AccountRow | None:
    name = _free_name(connection, who)
    if name is None:
        return None
    title = clean_author(f"{who.name} <{who.email}>")[:200]
    key = accounts.create(
        connection, name=name, kind="user", title=title, password="", subject=who.key,
        created=house.catalog.now(connection), disabled=0,
    )  # fmt: skip
    write_note(house, connection, "account", {"name": name, "kind": "user", "issuer": who.issuer})
    return accounts.by_id(connection, key)


def _free_name(connection: sa.Connection, who: Outsider) -> str | None:
    """A name that nobody has, as near as can be to what the other side calls them."""
    wish = re.sub(r"[^a-z0-9._-]+", "-", who.handle.lower().partition("@")[0]).strip("._-")[:56]
    for number in range(1, _TRIES):
        name = (wish or "user") if number == 1 else f"{wish or 'user'}-{number}"
        try:
            check_name(name)
        except ValueError:
            continue
        if accounts.by_name(connection, name) is None:
            return name
    return None


def _follow(
    house: House,
    connection: sa.Connection,
    row: AccountRow,
    who: Outsider,
    groups: Sequence[GroupRole],
) -> None:
    """Give and take the roles of groups; what somebody gave by hand stays."""
    from modelyard.core.access import ROLES

    wanted: dict[str, Role] = {}
    for each in groups:
        if each.group in who.groups:
            had = wanted.get(each.pattern, "none")
            wanted[each.pattern] = max(had, each.role, key=ROLES.index)
    now = house.catalog.now(connection)
    there = {given.pattern: given for given in roles.of(connection, row.id)}
    for pattern, role in wanted.items():
        given = there.get(pattern)
        if given is None or (given.who == BY_GROUP and given.role != role):
            roles.put(connection, RoleRow(row.id, pattern, role, now, BY_GROUP))
            told = {"account": row.name, "pattern": pattern, "role": role, "by": BY_GROUP}
            write_note(house, connection, "role", told)
    for pattern, given in there.items():
        last = (pattern, given.role) == ("*", "admin") and roles.admins(connection) == 1
        if given.who == BY_GROUP and pattern not in wanted and not last:
            roles.remove(connection, row.id, pattern)
            told = {"account": row.name, "pattern": pattern, "role": given.role, "by": BY_GROUP}
            write_note(house, connection, "role-taken", told)


def _domain(email: str | None) -> str | None:
    return email.rpartition("@")[2].lower() if email and "@" in email else None
