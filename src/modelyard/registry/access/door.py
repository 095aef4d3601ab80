"""Who asks, and whether they may know a model: the questions of every request.

A model that the caller may not read is answered like one that is not there.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hmac
from contextlib import suppress
from typing import TYPE_CHECKING

from modelyard.catalog.queries import accounts, models, tokens
from modelyard.core.access import NOBODY, Caller, Role, parse_role
from modelyard.core.names import ModelName
from modelyard.errors import Denied, NotFound, Unavailable
from modelyard.registry.access.accounts import check_password
from modelyard.registry.access.rights import acting, caller_for, grants_of
from modelyard.registry.access.secrets import digest_of, read_token
from modelyard.registry.access.tokens import cookie_account

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelyard.registry.house import House

__all__ = [
    "COOKIE", "by_password_again", "caller_of", "known_name", "no_model", "password_seen",
    "readable", "signed_in_by",
]  # fmt: skip

COOKIE = "yard_session"
"""The cookie of a browser that is signed in."""
_HOUR = 3_600_000_000


def signed_in_by(
    house: House,
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    *,
    address: str | None,
    request: str | None = None,
) -> Caller:
    """Who sends a request, by its token, password or cookie; else what anybody may.

    Args:
        headers: With names as Starlette gives them: in any case, or in small letters.

    Raises:
        Denied: `bad-token` if a token or cookie is not valid (any more), `wrong-password`.
    """
    header = headers.get("authorization", "")
    scheme, _, rest = header.partition(" ")
    if header and scheme.lower() == "bearer":
        caller = _by_token(house, rest.strip())
    elif header and scheme.lower() == "basic":
        caller = _by_basic(house, rest.strip(), address, request)
    elif header:
        raise _bad_token()
    elif COOKIE in cookies:
        caller = _by_cookie(house, cookies[COOKIE])
    else:
        with house.catalog.read() as connection:
            caller = Caller(account=None, grants=grants_of(connection, None), ceiling="reader")
    return _from(caller, address, request)


def caller_of(
    house: House, name: str, *, address: str | None = None, request: str | None = None
) -> Caller:
    """An account with all that it may. Denied: `bad-token` if it is disabled or not there."""
    with house.catalog.read() as connection:
        row = accounts.by_name(connection, name)
        if row is None or row.disabled:
            raise _bad_token()
        return _from(caller_for(connection, row), address, request)


def password_seen(house: House, name: str) -> str:
    """What tells that an account's password is still the one that was checked."""
    with house.catalog.read() as connection:
        row = accounts.by_name(connection, name)
    return "" if row is None or row.disabled else row.password


def by_password_again(
    house: House, name: str, seen: str, *, address: str | None = None
) -> Caller | None:
    """Who showed the right password before, as long as it is the same; None: check it anew.

    Checking one costs a twentieth of a second of a processor, on purpose.
    """
    if not seen or not hmac.compare_digest(password_seen(house, name), seen):
        return None
    return caller_of(house, name, address=address)


def _from(caller: Caller, address: str | None, request: str | None) -> Caller:
    return Caller(
        account=caller.account, grants=caller.grants, ceiling=caller.ceiling, only=caller.only,
        address=address, request=request, token=caller.token,
    )  # fmt: skip


def _by_token(house: House, text: str) -> Caller:
    parsed = read_token(text)
    if parsed is None:
        raise _bad_token()
    key, secret = parsed
    with house.catalog.read() as connection:
        now = house.catalog.now(connection)
        row = tokens.by_id(connection, key)
        if row is None or not hmac.compare_digest(row.hash, digest_of(secret)):
            raise _bad_token()
        owner = accounts.by_id(connection, row.account_id)
        if row.revoked or 0 < row.expires <= now or owner is None or owner.disabled:
            raise _bad_token()
        found = caller_for(connection, owner)
    hour = now - now % _HOUR
    if row.used < hour:
        with suppress(Unavailable):  # nobody is kept out because this can't be noted now
            house.catalog.write(lambda connection: tokens.used(connection, key, hour))
    return Caller(
        account=found.account, grants=found.grants, ceiling=parse_role(row.role),
        only=tuple(row.models.split()), token=key,
    )  # fmt: skip


def _by_basic(house: House, text: str, address: str | None, request: str | None) -> Caller:
    """As git sends it: the password may be a token, whatever the name is then."""
    try:
        name, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _bad_token() from None
    if not colon:
        raise _bad_token()
    if read_token(secret) is not None:
        return _by_token(house, secret)
    if not secret and read_token(name) is not None:
        return _by_token(house, name)
    asking = house.on_behalf_of(Caller(account=None, address=address, request=request))
    return caller_of(house, check_password(asking, name, secret).name)


def _by_cookie(house: House, cookie: str) -> Caller:
    with house.catalog.read() as connection:
        key = cookie_account(connection, cookie, house.catalog.now(connection))
        row = None if key is None else accounts.by_id(connection, key)
        if row is None or row.disabled:
            raise _bad_token()
        return caller_for(connection, row)


def _bad_token() -> Denied:
    return Denied(
        "bad-token", "this token or session is not valid, or not any more",
        hint="yard login URL; yard token make makes another",
    )  # fmt: skip


# -- models ------------------------------------------------------------------------------------


def readable(house: House, caller: Caller) -> Callable[[str], bool]:
    """Whether the caller may know of the model that has this name now."""
    if caller is NOBODY or caller.reads_all:
        return lambda _: True
    return lambda name: caller.may(name, "reader")


def known_name(house: House, caller: Caller, model: str, role: Role) -> str:
    """The name that a model has now, if the caller has this role for it.

    Of one that is not there, the name itself, if the caller may make it.

    Raises:
        NotFound: `no-model` if it is not there or hidden from the caller, and `model-deleted`.
        Denied: `not-signed-in`; `not-allowed` if the caller may read it, but not this.
    """
    name = ModelName.parse(model).text
    if caller is NOBODY:
        caller = acting(house)
    with house.catalog.read() as connection:
        row = models.by_name(connection, name)
    if row is None and caller.may(name, role) and caller.may(name, "writer"):
        return name
    if row is not None and caller.may(row.name, role) and caller.may(row.name, "reader"):
        return row.name
    shown = row is not None and caller.may(row.name, "reader")
    if caller.account is None and (shown or not caller.may(name, role)):
        raise Denied("not-signed-in", "say who you are", hint="yard login URL")
    if not shown and (row is not None or not caller.may(name, "reader") or role != "writer"):
        raise no_model(house, caller, name)
    raise Denied(
        "not-allowed", f"{name}: this takes the role {role}, and yours is {caller.role(name)}",
        hint="an admin of the model gives roles: yard role give",
    )  # fmt: skip


def no_model(house: House, caller: Caller, name: str) -> NotFound:
    """The same words for a model that is not there, and for one that is hidden."""
    may = readable(house, caller)
    with house.catalog.read() as connection:
        if may(name) and models.deleted_by_name(connection, name) is not None:
            return NotFound("model-deleted", f"{name} was deleted", hint=f"yard restore {name}")
        known = [row.name for row in models.listed(connection, deleted=False) if may(row.name)]
    near = difflib.get_close_matches(name, known[:_NEAR], 1)
    hint = f"did you mean {near[0]}? (yard list shows all)" if near else "yard list shows all"
    return NotFound("no-model", f"no model named {name}", hint=hint)


_NEAR = 2000
"""Names that are compared with one that is not there; a longer list would take too long."""
