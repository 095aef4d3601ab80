"""Tokens: made, shown once, made anew, taken back; and cookies and links, which are like them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import accounts, roles, sign_ins, tokens
from modelyard.catalog.queries.roles import RoleRow
from modelyard.catalog.queries.sign_ins import SignInRow
from modelyard.core.access import Account, Role, check_pattern, parse_role
from modelyard.core.people import Token
from modelyard.errors import Conflict, Denied, InvalidInput, NotFound
from modelyard.registry.access.accounts import find_account
from modelyard.registry.access.notes import write_note
from modelyard.registry.access.rights import account_of
from modelyard.registry.access.secrets import digest_of, fresh, token_text
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.tokens import TokenRow
    from modelyard.registry.house import House

__all__ = [
    "close_cookie", "cookie_account", "first_account", "make_link", "make_token", "open_cookie",
    "revoke_token", "rotate_token", "token_value", "use_link",
]  # fmt: skip

DAYS = 90
"""How long a token is valid unless it is said."""
_LONGEST = 3660
_DAY = 86_400_000_000
_SECOND = 1_000_000


def make_token(
    house: House,
    account: str,
    *,
    name: str = "",
    role: Role = "admin",
    models: Sequence[str] = (),
    days: int | None = DAYS,
    until: int | None = None,
) -> tuple[Token, str]:
    """A new token of an account, and the text that only its owner gets to see, now.

    Args:
        role: The most that it may, if the account may as much.
        models: Patterns of the models that it is for; none: all.
        days: It ends after so many; None: never.
        until: It does not outlive this time either, in microseconds since 1970.

    Raises:
        NotFound: `no-account`.
        InvalidInput: `bad-token-name`, `bad-role`, `bad-pattern`, `bad-days`.
    """
    _check(name, role, models, days)
    secret = fresh()

    def work(connection: sa.Connection) -> tuple[Token, str]:
        row = find_account(connection, account)
        if row.disabled:
            raise Conflict("account-disabled", f"{account} is disabled", hint="enable it first")
        now = house.catalog.now(connection)
        key = tokens.create(
            connection, account_id=row.id, name=name, hash=digest_of(secret), role=role,
            models=" ".join(models), created=now, expires=_end(now, days, until), used=0,
            revoked=0,
        )  # fmt: skip
        told = {"account": account, "token": key, "name": name, "role": role}
        write_note(house, connection, "token", {**told, "models": list(models)})
        made = tokens.by_id(connection, key)
        if made is None:
            raise AssertionError("a token that was made is gone")
        return token_value(made, account), token_text(key, secret)

    return house.catalog.write(work)


def rotate_token(house: House, key: int, *, days: int | None = DAYS) -> tuple[Token, str]:
    """Another secret for a token, for as long again; the old one is worth nothing from now on."""
    _check("", "admin", (), days)
    secret = fresh()

    def work(connection: sa.Connection) -> tuple[Token, str]:
        now = house.catalog.now(connection)
        changed = tokens.replace(connection, key, digest_of(secret), now, _end(now, days, None))
        row = tokens.by_id(connection, key)
        owner = accounts.by_id(connection, row.account_id) if row else None
        if not changed or row is None or owner is None:
            raise no_token(key)
        write_note(house, connection, "token-rotated", {"account": owner.name, "token": key})
        return token_value(row, owner.name), token_text(key, secret)

    return house.catalog.write(work)


def revoke_token(house: House, key: int) -> Token:
    """Take a token back at once. NotFound: `no-token`."""

    def work(connection: sa.Connection) -> Token:
        now = house.catalog.now(connection)
        changed = tokens.revoke(connection, key, now)
        row = tokens.by_id(connection, key)
        owner = accounts.by_id(connection, row.account_id) if row else None
        if row is None or owner is None:
            raise no_token(key)
        if changed:
            write_note(house, connection, "token-revoked", {"account": owner.name, "token": key})
        return token_value(row, owner.name)

    return house.catalog.write(work)


def token_value(row: TokenRow, account: str) -> Token:
    """What may be shown of a token."""
    return Token(
        id=row.id, account=account, name=row.name, role=parse_role(row.role),
        models=tuple(row.models.split()), created=moment(row.created),
        expires=moment(row.expires) if row.expires else None,
        used=moment(row.used) if row.used else None,
        revoked=moment(row.revoked) if row.revoked else None,
    )  # fmt: skip


def no_token(key: int) -> NotFound:
    return NotFound("no-token", f"no token {key}", hint="yard token list")


def _check(name: str, role: str, models: Sequence[str], days: int | None) -> None:
    if len(name) > 100 or not name.isprintable():
        raise InvalidInput("bad-token-name", "a token's name is one line of at most 100 characters")
    if parse_role(role) == "none":
        raise InvalidInput("bad-role", "a token that may nothing is of no use")
    for pattern in models:
        check_pattern(pattern)
    if len(models) > 100:
        raise InvalidInput("bad-pattern", "a token is for at most 100 patterns")
    if days is not None and not 1 <= days <= _LONGEST:
        raise InvalidInput("bad-days", f"a token is valid for 1 to {_LONGEST} days, or for ever")


def _end(now: int, days: int | None, until: int | None) -> int:
    end = 0 if days is None else now + days * _DAY
    return min(end or until, until) if until else end


# -- browsers ------------------------------------------------------------------------------------


def open_cookie(house: House, account: Account, *, seconds: int = 7 * 86400) -> str:
    """Sign a browser in; gives what its cookie `yard_session` is to hold."""
    return _open(house, account.id, "cookie", seconds, "sign-in")


def close_cookie(house: House, cookie: str) -> None:
    """Sign a browser out."""

    def work(connection: sa.Connection) -> None:
        if sign_ins.drop(connection, digest_of(cookie)):
            write_note(house, connection, "sign-out", {})

    house.catalog.write(work)


def cookie_account(connection: sa.Connection, cookie: str, now: int) -> int | None:
    """Id of the account whose browser shows this cookie."""
    row = sign_ins.get(connection, digest_of(cookie), "cookie")
    return row.account_id if row is not None and row.expires > now else None


def make_link(house: House, account: Account, *, seconds: int = 600) -> str:
    """A code that signs a browser in, once and soon."""
    return _open(house, account.id, "link", seconds, "link")


def use_link(house: House, code: str) -> Account:
    """The account of a code, which is used up. Denied: `bad-link`."""

    def work(connection: sa.Connection) -> Account | None:
        row = sign_ins.get(connection, digest_of(code), "link")
        if row is None or not sign_ins.drop(connection, row.hash):
            return None
        owner = accounts.by_id(connection, row.account_id)
        late = row.expires <= house.catalog.now(connection)
        return None if owner is None or owner.disabled or late else account_of(owner)

    found = house.catalog.write(work)
    if found is None:
        raise Denied("bad-link", "this link was used or is too old", hint="ask for another")
    return found


def _open(house: House, account: int, kind: str, seconds: int, action: str) -> str:
    secret = fresh()

    def work(connection: sa.Connection) -> None:
        now = house.catalog.now(connection)
        sign_ins.drop_old(connection, now)
        end = now + seconds * _SECOND
        sign_ins.open_one(connection, SignInRow(digest_of(secret), account, kind, now, end))
        owner = accounts.by_id(connection, account)
        write_note(house, connection, action, {"name": owner.name if owner else ""})

    house.catalog.write(work)
    return secret


def first_account(house: House) -> str | None:
    """The first run: make `admin`, who may everything, and give its token. None if it was."""

    def work(connection: sa.Connection) -> bool:
        if accounts.count(connection):
            return False
        now = house.catalog.now(connection)
        key = accounts.create(
            connection, name="admin", kind="user", title="", password="", subject="",
            created=now, disabled=0,
        )  # fmt: skip
        roles.put(connection, RoleRow(key, "*", "admin", now, ""))
        write_note(house, connection, "account", {"name": "admin", "kind": "user"})
        write_note(house, connection, "role", {"account": "admin", "pattern": "*", "role": "admin"})
        return True

    if not house.catalog.write_alone(work):
        return None
    return make_token(house, "admin", name="first")[1]
