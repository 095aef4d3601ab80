"""Alerts are told by the servers of a yard; what is told is decided in `monitoring.alerts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.monitoring.alerts.telling import Teller
from modelyard.server.outside import Door
from modelyard.server.serving import serving_of

if TYPE_CHECKING:
    from modelyard.server.settings import Settings
    from modelyard.server.state import Server

__all__ = ["base_of", "tell", "wake"]


def tell(server: Server) -> None:
    """Let a process tell people of alerts from when it starts."""
    settings = server.settings
    server.parts["telling"] = Teller(
        server.house, Door(private=settings.private_hooks), serving_of(server).name,
        base=base_of(settings),
    )  # fmt: skip


def wake(server: Server) -> None:
    """There is news: people are told at once, and not within half a second."""
    teller: Teller | None = server.parts.get("telling")
    if teller is not None:
        teller.wake()


def base_of(settings: Settings) -> str:
    """Where pages are, for links in what is told; empty if it can't be known."""
    if settings.url:
        return settings.url.rstrip("/")
    if not settings.port:
        return ""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{settings.port}{settings.prefix}"
