"""What all requests of one server process share, and what one request knows of its caller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from modelyard.core.access import Caller
    from modelyard.registry.house import House
    from modelyard.server.settings import Settings

__all__ = ["Ask", "Server"]


@dataclass(slots=True)
class Server:
    """One process."""

    yard: LocalYard
    settings: Settings
    parts: dict[str, Any] = field(default_factory=dict)
    """What starts and stops with the server, by name: jobs, webhooks."""

    @property
    def house(self) -> House:
        return self.yard.house


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that was let in: who asks, and the yard that works for them."""

    server: Server
    caller: Caller
    request: Request

    @property
    def house(self) -> House:
        """The yard's parts; what is written with it names the caller in the audit log."""
        return self.server.house.on_behalf_of(self.caller)

    @property
    def yard(self) -> LocalYard:
        return LocalYard(self.house)
