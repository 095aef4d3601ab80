"""Who is signed in."""

from __future__ import annotations

from modelyard.core.people import Self
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, Routes
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("accounts")


@routes.get("/whoami", needs=SIGNED_IN, answers=Self)
def whoami(ask: Ask) -> Self:
    """Who is signed in, and what that one may."""
    return Desk(ask.house).whoami()
