"""The outermost layer where predictions are served: they go to the data plane, the rest elsewhere.

On its way to the data plane a request passes the same checks of host and site as all others, and
nothing else: that is all that a prediction pays for sharing the port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError
from modelyard.server.addresses import Addresses, check_site
from modelyard.serving.app import PlaneApp
from modelyard.serving.failures import body_of, status_of

if TYPE_CHECKING:
    from modelyard.server.settings import Settings
    from modelyard.serving.app import Reply

__all__ = ["Door"]

_HOSTS = 256
_WATCHED = frozenset({b"origin", b"sec-fetch-site", b"cookie"})
"""Headers by which a page of another site gives itself away."""


class Door:
    """Sends a request to the data plane, or on.

    Args:
        rest: What answers everything else.
    """

    def __init__(self, plane: PlaneApp, rest: Any, settings: Settings) -> None:
        self.plane = plane
        self.rest = rest
        self._prefix = settings.prefix
        self._addresses = Addresses(settings)
        self._plain = not settings.proxies
        """Whether addresses are as they look."""
        self._hosts: set[bytes] = set()
        """That were answered: looking again would find the same."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.rest(scope, receive, send)
            return
        path: str = scope["path"]
        prefix = self._prefix
        if prefix and path.startswith(f"{prefix}/"):
            path = path[len(prefix) :]
        if not self.plane.takes(path):
            await self.rest(scope, receive, send)
            return
        host, count, watched = b"", 0, False
        for name, value in scope["headers"]:
            if name == b"host":
                host, count = value, count + 1
            elif name in _WATCHED:
                watched = True
        if watched or count != 1 or host not in self._hosts or not self._plain:
            try:
                self._check(scope, host)
            except ModelyardError as error:
                await _refuse(send, error)
                return
        if prefix:
            scope["path"] = path
            scope["root_path"] = prefix
        await self.plane(scope, receive, send)

    def at_once(
        self, url: bytes, headers: list[tuple[bytes, bytes]], body: bytes, client: Any
    ) -> Reply | None:
        """Answer a prediction now; None if it must go the longer way.

        The first request for a path, or by a host, goes the longer way; so does what comes through
        a proxy, and what a browser may have sent.
        """
        if self._prefix or not self._plain:
            return None
        host, count = b"", 0
        for name, value in headers:
            if name == b"host":
                host, count = value, count + 1
            elif name in _WATCHED:
                return None
        if count != 1 or host not in self._hosts:
            return None
        return self.plane.at_once(url, headers, body, client)

    def _check(self, scope: Any, host: bytes) -> None:
        """Denied: `wrong-host`, `cross-site`. InvalidInput: `bad-request`."""
        headers = dict(scope["headers"])
        seen = self._addresses.seen(scope, headers)
        if not self._plain:
            scope["client"] = (seen.address or "", 0) if seen.address else None
            scope["scheme"] = seen.scheme
        check_site(scope["method"], headers, seen)
        if self._plain and len(self._hosts) < _HOSTS:
            self._hosts.add(host)


async def _refuse(send: Any, error: ModelyardError) -> None:
    body = body_of(error)
    headers = [(b"content-type", b"application/json"), (b"connection", b"close"),
               (b"content-length", str(len(body)).encode())]  # fmt: skip
    await send({"type": "http.response.start", "status": status_of(error), "headers": headers})
    await send({"type": "http.response.body", "body": body})
