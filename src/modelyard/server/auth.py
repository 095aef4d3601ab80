"""Who asks, and whether they are let in. Every request passes here, once."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

from modelyard.core.access import EVERYONE, Account, Caller, Grant, at_least
from modelyard.errors import Denied
from modelyard.server.state import Ask

if TYPE_CHECKING:
    from starlette.requests import Request

    from modelyard.server.routing import Needs
    from modelyard.server.state import Server

__all__ = ["again", "caller_of", "let_in", "signed_in_with"]

_SAFE = ("GET", "HEAD", "OPTIONS")
_FRESH_SECONDS = 0.5
"""So long it is believed who somebody was and what they might."""


def let_in(request: Request, needs: Needs, model: str | None) -> tuple[Ask, str | None]:
    """The request with its caller, and the name that the model has now.

    Denied: `not-signed-in`, `bad-token`, `wrong-password`, `not-allowed`; `too-many-requests` is
    Unavailable. NotFound: `no-model`.
    """
    server: Server = request.app.state.server
    if needs.what == "public":
        return Ask(server, Caller(account=None, address=_address(request)), request), model
    with server.house.catalog.read():  # one view for all the small questions
        caller = caller_of(request)
        request.scope["caller"] = caller
        server.rates.check(caller)
        ask = Ask(server, caller, request)
        request.scope["asked"] = (time.monotonic(), needs, model)
        if caller.account is None and not any(at_least(g.role, "reader") for g in caller.grants):
            raise _unknown()
        return ask, _allowed(ask, needs, model)


def again(ask: Ask) -> Ask:
    """The request with its caller as of now, once a body is there that may have taken hours.

    Raises what `let_in` does: a role or a token may have been taken meanwhile.
    """
    when, needs, model = ask.request.scope["asked"]
    if time.monotonic() - when < _FRESH_SECONDS:
        return ask
    return let_in(ask.request, needs, model)[0]


def caller_of(request: Request) -> Caller:
    """Who sends a request; without accounts, whoever has this machine is admin."""
    server: Server = request.app.state.server
    address, number = _address(request), request.scope.get("request_id")
    if not server.settings.accounts:
        return Caller(
            account=Account(id=EVERYONE, name="local", title=server.house.author),
            grants=(Grant("*", "admin"),), address=address, request=number,
        )  # fmt: skip
    from modelyard.registry.access import signed_in_by

    given = request.headers.get("authorization", "")
    with server.rates.guessing(given, address):
        return signed_in_by(
            server.house, request.headers, request.cookies, address=address, request=number
        )


def signed_in_with(request: Request, name: str, secret: str) -> Account:
    """The account of a form that has a password or a token. Denied, and `too-many-requests`."""
    from modelyard.registry.access import signed_in_by

    server: Server = request.app.state.server
    address, number = _address(request), request.scope.get("request_id")
    pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
    told = {"authorization": f"Basic {pair}"}
    with server.rates.guessing(told["authorization"], address):
        caller = signed_in_by(server.house, told, {}, address=address, request=number)
        if caller.account is None or caller.ceiling != "admin" or caller.only:
            raise Denied("bad-token", "this token is for programs: it may not all that you may")
        return caller.account


def _allowed(ask: Ask, needs: Needs, model: str | None) -> str | None:
    caller = ask.caller
    if needs.what == "model":
        from modelyard.registry.access import known_name

        return known_name(ask.server.house, caller, model or "", needs.role)
    if needs.what == "signed-in" or needs.role != "none":
        if caller.account is None:
            raise _unknown()
        if not caller.may("*", needs.role):
            if ask.request.method not in _SAFE:
                _note(ask, f"{ask.request.method} *")
            raise Denied(
                "not-allowed", f"this takes the role {needs.role} for '*', the whole yard",
                hint="an admin of the yard gives roles: yard role give",
            )  # fmt: skip
    return model


def _unknown() -> Denied:
    return Denied("not-signed-in", "say who you are", hint="yard login URL")


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _note(ask: Ask, detail: str) -> None:
    from modelyard.registry.access import note

    note(ask.house, "denied", detail)
