"""Who asks, and whether they are let in. Every request passes here, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Denied
from modelyard.registry.access import known_name, signed_in_by
from modelyard.server.state import Ask

if TYPE_CHECKING:
    from starlette.requests import Request

    from modelyard.server.routing import Needs
    from modelyard.server.state import Server

__all__ = ["let_in"]


def let_in(request: Request, needs: Needs, model: str | None) -> Ask:
    """The request with its caller. Denied `not-signed-in`, `not-allowed`; NotFound `no-model`."""
    server: Server = request.app.state.server
    caller = signed_in_by(server.house, request.headers, request.cookies, address=None)
    ask = Ask(server, caller, request)
    if needs.what == "public":
        return ask
    if needs.what == "model":
        known_name(server.house, caller, model or "", needs.role)
    elif caller.account is None:
        raise Denied("not-signed-in", "say who you are", hint="yard login URL")
    elif not caller.may("*", needs.role):
        raise Denied("not-allowed", f"this takes the role {needs.role} for '*'")
    return ask
