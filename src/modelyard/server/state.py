"""What all requests of one server process share, and what one request knows of its caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from modelyard.core.access import Caller
    from modelyard.registry.house import House
    from modelyard.server.answers import Answers
    from modelyard.server.comparisons import Comparisons
    from modelyard.server.jobs import Jobs
    from modelyard.server.limits import Rates
    from modelyard.server.metrics import Metrics
    from modelyard.server.settings import Settings
    from modelyard.server.shared import Shared
    from modelyard.server.watched_metrics import WatchedMetrics

__all__ = ["Ask", "Server"]


@dataclass
class Server:
    """One process."""

    yard: LocalYard
    settings: Settings
    parts: dict[str, Any] = field(default_factory=dict)
    """What starts and stops with the server, by name: each has `start()` and `stop()`."""
    ready: bool = False
    """Whether requests are to be sent here: not before it has started, nor while it stops."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set as soon as the server is told to stop: streams of events end then."""

    @property
    def house(self) -> House:
        return self.yard.house

    def end_streams(self) -> None:
        """Called when the server is told to stop: streams would hold it up."""
        self.stopping.set()
        if (feed := self.parts.get("feed")) is not None:
            threading.Thread(target=feed.stop, daemon=True).start()

    @cached_property
    def jobs(self) -> Jobs:
        """Work that takes longer than a request may."""
        from modelyard.server.jobs import Jobs

        return Jobs(self.house, self.settings.jobs, self.settings.stop_seconds)

    @cached_property
    def comparisons(self) -> Comparisons:
        """What was found when two versions were compared lately."""
        from modelyard.server.comparisons import Comparisons

        return Comparisons(self.jobs)

    @cached_property
    def answers(self) -> Answers:
        """Answers to requests that may be sent again."""
        from modelyard.server.answers import Answers

        return Answers(self.house)

    @cached_property
    def rates(self) -> Rates:
        """How often who may ask."""
        from modelyard.server.limits import Rates

        return Rates(self.settings)

    @cached_property
    def shared(self) -> Shared:
        """What streams of monitoring look at together."""
        from modelyard.server.shared import Shared

        return Shared()

    @cached_property
    def metrics(self) -> Metrics:
        from modelyard.server.metrics import Metrics

        return Metrics()

    @cached_property
    def watched_metrics(self) -> WatchedMetrics:
        """What monitoring says, among the metrics."""
        from modelyard.server.watched_metrics import WatchedMetrics

        return WatchedMetrics(self.house)


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

    @property
    def base(self) -> str:
        """The address of this server as the caller knows it, without a slash at its end."""
        if self.server.settings.url:
            return self.server.settings.url.rstrip("/")
        scope = self.request.scope
        host = self.request.headers.get("host", "localhost")
        return f"{scope['scheme']}://{scope.get('host', host)}{self.server.settings.prefix}"

    def body(self) -> Iterator[bytes]:
        """The raw body in pieces as they arrive, for a handler in its thread."""
        from anyio import from_thread

        pieces = self.request.stream()
        try:
            while True:
                piece = from_thread.run(_next, pieces)
                if piece is None:
                    return
                if piece:
                    yield piece
        finally:
            with suppress(RuntimeError):
                from_thread.run(pieces.aclose)


async def _next(pieces: Any) -> bytes | None:
    """The next piece; None at the end."""
    try:
        return bytes(await anext(pieces))
    except StopAsyncIteration:
        return None
