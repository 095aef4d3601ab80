"""Accounts: made, changed and disabled; a name is never used again. Nothing here asks who may."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from modelyard.catalog.queries import accounts, roles, sign_ins, tokens
from modelyard.core.access import Account
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound
from modelyard.registry.access import passwords
from modelyard.registry.access.notes import note, write_note
from modelyard.registry.access.rights import OWNER, account_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.accounts import AccountRow
    from modelyard.registry.house import House

__all__ = [
    "check_name", "check_password", "create_account", "disable_account", "enable_account",
    "find_account", "keep_an_admin", "set_password",
]  # fmt: skip

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?\Z", re.ASCII)
_TAKEN = (OWNER, "everyone", "anybody", "unknown", "none", "groups")


def check_name(text: str) -> str:
    """InvalidInput: `bad-account-name`."""
    if _NAME.match(text) is None or text in _TAKEN:
        raise InvalidInput(
            "bad-account-name", f"{text[:80]!r} can't name an account",
            hint=f"small letters, digits, '.', '-', '_'; at most 64; not {', '.join(_TAKEN)}",
        )  # fmt: skip
    return text


def create_account(
    house: House,
    name: str,
    *,
    kind: Literal["user", "service"] = "user",
    title: str = "",
    password: str | None = None,
    subject: str = "",
) -> Account:
    """A new account without roles. Conflict: `account-exists`; InvalidInput: `weak-password`."""
    from modelyard.history.commits import clean_author

    check_name(name)
    kept = "" if password is None else passwords.hashed(passwords.check_new(password, name))
    shown = clean_author(title)[:200] if title.strip() else ""

    def work(connection: sa.Connection) -> Account:
        if accounts.by_name(connection, name) is not None:
            raise Conflict(
                "account-exists", f"there is an account {name} already", hint="yard account list"
            )
        now = house.catalog.now(connection)
        key = accounts.create(
            connection, name=name, kind=kind, title=shown, password=kept, subject=subject,
            created=now, disabled=0,
        )  # fmt: skip
        write_note(house, connection, "account", {"name": name, "kind": kind})
        return Account(id=key, name=name, kind=kind, title=shown)

    return house.catalog.write_alone(work)


def find_account(connection: sa.Connection, name: str) -> AccountRow:
    """NotFound: `no-account`."""
    row = accounts.by_name(connection, name)
    if row is None:
        raise NotFound("no-account", f"no account named {name[:80]}", hint="yard account list")
    return row


def set_password(house: House, name: str, password: str) -> None:
    """Give an account a password, and sign it out everywhere else; its tokens stay."""
    kept = passwords.hashed(passwords.check_new(password, name))

    def work(connection: sa.Connection) -> None:
        row = find_account(connection, name)
        accounts.update(connection, row.id, password=kept)
        sign_ins.drop_all(connection, row.id)
        write_note(house, connection, "password", {"name": name})

    house.catalog.write(work)


def check_password(house: House, name: str, password: str) -> Account:
    """The account that signs in. Denied: `wrong-password`, whatever of the two is wrong."""
    with house.catalog.fresh() as connection:
        row = accounts.by_name(connection, name)
    kept = None if row is None or row.disabled else row.password
    if not passwords.matches(kept, password) or row is None:
        told = {"name": name} if row is not None else {}  # else it may be a password, mistyped
        note(house, "sign-in-failed", {**told, "by": "password"})
        raise Denied("wrong-password", "name or password is wrong", hint="look for typing errors")
    return account_of(row)


def disable_account(house: House, name: str) -> Account:
    """Let nobody in with this account any more. Conflict: `last-admin`."""

    def work(connection: sa.Connection) -> Account:
        row = find_account(connection, name)
        if not row.disabled:
            now, admins = house.catalog.now(connection), roles.admins(connection)
            accounts.update(connection, row.id, disabled=now)
            sign_ins.drop_all(connection, row.id)
            for token in tokens.of_account(connection, row.id):
                tokens.revoke(connection, token.id, now)
            keep_an_admin(connection, admins)
            write_note(house, connection, "account-disabled", {"name": name})
        return account_of(row)

    return house.catalog.write_alone(work)


def enable_account(house: House, name: str) -> Account:
    """Undo `disable_account`; its tokens stay revoked."""

    def work(connection: sa.Connection) -> Account:
        row = find_account(connection, name)
        if row.disabled:
            accounts.update(connection, row.id, disabled=0)
            write_note(house, connection, "account-enabled", {"name": name})
        return account_of(row)

    return house.catalog.write(work)


def keep_an_admin(connection: sa.Connection, before: int) -> None:
    """Undo what leaves nobody to give roles; only for changes made alone (`write_alone`).

    Args:
        before: How many admins there were.
    """
    if before and roles.admins(connection) == 0:
        raise Conflict(
            "last-admin", "this is the last account that is admin of the whole yard",
            hint="yard role give OTHER admin '*', then try again",
        )  # fmt: skip
