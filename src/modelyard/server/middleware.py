"""What holds for every request, around all routes: one layer of raw ASGI.

In the order in which it happens: an id, where it comes from, which host it is for, which site sent
it, how much and how slowly, how long; and on the way out headers of safety, a count and a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, Unavailable
from modelyard.server.addresses import Addresses, check_site
from modelyard.server.intake import Bounds, Intake
from modelyard.server.logs import request_line
from modelyard.server.problems import answer_to

if TYPE_CHECKING:
    from modelyard.server.state import Server

__all__ = ["SAFE_HEADERS", "Front"]

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SAFE_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
    b"cache-control": b"no-store",
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        b" connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
        b" frame-ancestors 'none'"
    ),
}
"""Sent with every answer whose route says nothing else."""
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")


class Front:
    """The outermost layer."""

    def __init__(self, app: Any, server: Server) -> None:
        self._app = app
        self.server = server
        self._addresses = Addresses(server.settings)
        self._prefix = server.settings.prefix
        self.active = 0
        """Requests under way."""
        self.door: Any = self.answer
        """Where requests come in: the data plane takes those that are for it before all else."""
        self.at_once: Any = None
        """The data plane's way to answer before there is a task."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self.door(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """A request for a page, the API or git."""
        settings = self.server.settings
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        number = given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
        intake = Intake(
            receive, scope["headers"], Bounds(settings.largest_body, settings.seconds),
            settings.patience,
        )  # fmt: skip
        scope |= {"request_id": number, "intake": intake}
        exchange = _Exchange(scope, intake, send, number)
        self.active += 1
        self.server.metrics.active.inc()
        try:
            if refusal := self._refusal(scope, headers):
                await exchange.answer(refusal)
            else:
                await exchange.run(self._app)
        finally:
            self.active -= 1
            self.server.metrics.active.dec()
            self._told(scope, exchange)

    def _refusal(self, scope: Any, headers: dict[bytes, bytes]) -> ModelyardError | None:
        """Why a request goes no further; else its scope is as a proxy found it."""
        try:
            seen = self._addresses.seen(scope, headers)
            scope |= {"client": (seen.address or "", 0) if seen.address else None,
                      "scheme": seen.scheme, "host": seen.host}  # fmt: skip
            check_site(scope["method"], headers, seen)
        except ModelyardError as error:
            return error
        if self.active > self.server.settings.at_once:
            return Unavailable("busy", "too many requests are under way", hint="try again soon")
        if self._prefix and scope["path"].startswith(f"{self._prefix}/"):
            scope["path"] = scope["path"][len(self._prefix) :]
            raw = scope.get("raw_path", b"")
            scope["raw_path"] = raw[len(self._prefix) :]
        return None

    def _told(self, scope: Any, exchange: _Exchange) -> None:
        route = exchange.intake.route or "-"
        seconds = time.perf_counter() - exchange.began
        method = scope["method"] if len(scope["method"]) < 20 else "-"
        self.server.metrics.answered(method, route, exchange.status, seconds)
        caller = scope.get("caller")
        request_line(
            id=exchange.number, method=method, route=route, status=exchange.status,
            ms=round(seconds * 1000, 1), account=caller.name if caller else None,
            address=scope["client"][0] if scope.get("client") else None,
        )  # fmt: skip


class _Exchange:
    """One request and its answer: whoever answers first, the rest is dropped."""

    def __init__(self, scope: Any, intake: Intake, send: Any, number: str) -> None:
        self.intake = intake
        self.number = number
        self.status = 0
        self.began = time.perf_counter()
        self._scope = scope
        self._send = send
        self._closed = False
        """Nothing that the routes say is sent any more."""
        self._late: asyncio.Task[None] | None = None
        self._read_at = 0.0

    async def run(self, app: Any) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.intake.seconds, self._too_late, loop)
        self._read_at = loop.time()
        try:
            await app(self._scope, self.intake, self._from_app)
        except Exception as error:  # what no handler caught: never a traceback to the caller
            if not self.status:
                await self.answer(error)
        finally:
            timer.cancel()
            if self._late is not None:
                with contextlib.suppress(Exception):
                    await self._late

    async def answer(self, error: BaseException, status: int | None = None) -> None:
        """A problem instead of whatever the routes would say."""
        self._closed = True
        response = answer_to(error, self.number, status)
        if not self.intake.complete:
            response.headers["connection"] = "close"
        await response(self._scope, self.intake, self._start_safely)

    async def _from_app(self, message: Any) -> None:
        if self._closed:
            return
        if self.intake.refused is not None and not self.status:
            await self.answer(self.intake.refused, self.intake.status)
            return
        await self._start_safely(message)

    async def _start_safely(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers(message.get("headers", []))
        await self._send(message)

    def _headers(self, given: Any) -> list[tuple[bytes, bytes]]:
        headers = list(given)
        names = {name.lower() for name, _ in headers}
        headers += [pair for pair in SAFE_HEADERS.items() if pair[0] not in names]
        if self._scope["scheme"] == "https":
            headers.append(_HTTPS_ONLY)
        headers.append((b"x-request-id", self.number.encode()))
        return headers

    def _too_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """The answer has not begun in time. What works on it in a thread goes on to its end."""
        if self.status or self._closed:
            return
        if not self.intake.complete and self.intake.size:
            loop.call_later(1.0, self._too_late, loop)  # the body is on its way
            return
        left = (self.intake.done_at or self._read_at) + self.intake.seconds - loop.time()
        if left > 0.01:  # the route allows more
            if left != float("inf"):
                loop.call_later(left, self._too_late, loop)
            return
        error = Unavailable(
            "timeout", f"not done within {self.intake.seconds:g} s",
            hint="what was begun may be done all the same: look before you try again",
        )  # fmt: skip
        self._late = loop.create_task(self.answer(error))
