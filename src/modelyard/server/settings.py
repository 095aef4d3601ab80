"""How a server is to run. Read at the edge once; nothing below looks at the environment."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `yard up` and `yard server` decide."""

    host: str = "127.0.0.1"
    port: int = 8300
    prefix: str = ""
    """Path that a proxy puts in front, `/models`; empty if there is none."""
    accounts: bool = True
    """Whether callers must say who they are. Without, only loopback may be listened to."""
    hosts: tuple[str, ...] = ()
    """Host headers that are answered beside those of loopback and `host`."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-* is believed."""
    url: str | None = None
    """What people see in their browser, for links; from the request if None."""
    largest_body: int = 64 << 20
    """Bytes of one request, where no route says otherwise."""
    seconds: float = 60.0
    """Within which a request is answered; transfers and event streams have no such limit."""
    requests_per_minute: int = 6000
    """By one account, or by one address that is not signed in."""
    private_hooks: bool = False
    """Whether webhooks may go to private addresses."""
