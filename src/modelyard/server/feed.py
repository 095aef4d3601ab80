"""Streams of events: one look at the catalog for all of a process, and what each may see.

A stream that reads too slowly is cut off: its client comes again with the id of the last event that
it got, and goes on there. So no stream can hold up others, or fill the memory.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.responses import Response

from modelyard.core.wire import encode, problem_of
from modelyard.errors import Denied, ModelyardError, Unavailable
from modelyard.registry.events import events, seen_by, settled, sight
from modelyard.server.auth import caller_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from modelyard.core.access import Caller
    from modelyard.core.events import Event, Wanted
    from modelyard.server.state import Ask, Server

__all__ = ["EventStream", "Feed", "feed_of"]

_log = logging.getLogger("modelyard.server")

_LOOK_SECONDS = 0.25
_HEARTBEAT_SECONDS = 15.0
_SLOWEST_SECONDS = 30.0
"""In which a client must take what is sent; then it is cut off."""
_RIGHTS_SECONDS = 1.0
"""How long it is believed that a caller may still read what they could."""
_QUEUED = 2000
"""Events that wait for one stream."""
_STREAMS = 500
"""In one process."""
_CHUNK = 200

Batch = tuple[int, list["Event"]]
"""Events up to an id, and this id."""


def feed_of(server: Server) -> Feed:
    """The feed of this process; it works while there are streams."""
    found: Feed = server.parts.setdefault("feed", Feed(server))
    return found


class Feed:
    """Looks for new events as long as somebody listens."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._streams: set[_Mailbox] = set()
        self._position = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Nothing to do before the first stream."""

    def stop(self) -> None:
        """End all streams."""
        self._stopped.set()
        self._finish()

    def join(self, mailbox: _Mailbox) -> int:
        """From now on a stream is given all that comes after the id that this gives.

        Unavailable: `too-many-streams`.
        """
        with self._lock:
            if len(self._streams) >= _STREAMS:
                raise Unavailable("too-many-streams", "too many listen already", hint="try later")
            if not self._streams:
                self._position = settled(self._server.house)
            self._streams.add(mailbox)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="feed", daemon=True)
                self._thread.start()
            return self._position

    def leave(self, mailbox: _Mailbox) -> None:
        with self._lock:
            self._streams.discard(mailbox)

    def _look(self) -> None:
        while not (self._stopped.wait(_LOOK_SECONDS) or self._server.stopping.is_set()):
            with self._lock:
                if not self._streams:
                    self._thread = None
                    return
                try:
                    self._tell()
                except ModelyardError as error:
                    _log.warning("events can't be read: %s", error)
        self._finish()

    def _tell(self) -> None:
        house = self._server.house
        last = settled(house)
        if last <= self._position:
            return
        batch = (last, list(events(house, after=self._position, upto=last)))
        self._position = last
        for mailbox in self._streams:
            mailbox.put(batch)

    def _finish(self) -> None:
        with self._lock:
            for mailbox in self._streams:
                mailbox.end()


class _Mailbox:
    """What waits for one stream, put there by the feed's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.over = asyncio.Event()
        """The stream is to end: it is too slow, or the server stops."""
        self._loop = loop
        self._batches: asyncio.Queue[Batch] = asyncio.Queue()
        self._waiting = 0

    def put(self, batch: Batch) -> None:
        self._soon(self._put, batch)

    def end(self) -> None:
        self._soon(self.over.set)

    async def get(self, seconds: float) -> Batch | None:
        """The next batch; None if there is none in this time."""
        try:
            async with asyncio.timeout(seconds):
                batch = await self._batches.get()
        except TimeoutError:
            return None
        self._waiting -= len(batch[1])
        return batch

    def _put(self, batch: Batch) -> None:
        self._waiting += len(batch[1])
        if self._waiting > _QUEUED:
            self.over.set()
        else:
            self._batches.put_nowait(batch)

    def _soon(self, work: Callable[..., object], *given: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(work, *given)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return


class EventStream(Response):
    """An answer of `text/event-stream` that goes on until one side ends it."""

    media_type = "text/event-stream"

    def __init__(self, ask: Ask, wanted: Wanted, after: int | None) -> None:
        super().__init__(None, 200, {"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._ask = ask
        self._wanted = wanted
        self._after = after
        self._rights = _Rights(ask)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        feed = feed_of(self._ask.server)
        mailbox = _Mailbox(asyncio.get_running_loop())

        async def patiently(message: Any) -> None:
            async with asyncio.timeout(_SLOWEST_SECONDS):
                await send(message)

        begin = await to_thread.run_sync(feed.join, mailbox)
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await patiently(start)
            writing = asyncio.ensure_future(self._write(mailbox, begin, patiently))
            tasks = {
                writing,
                asyncio.ensure_future(_gone(receive)),
                asyncio.ensure_future(mailbox.over.wait()),
            }
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await patiently({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return
        finally:
            await to_thread.run_sync(feed.leave, mailbox)

    async def _write(self, mailbox: _Mailbox, begin: int, send: Any) -> None:
        try:
            async for piece in self._pieces(mailbox, begin):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except ModelyardError as error:
            text = b"event: failed\ndata: " + encode(problem_of(error)) + b"\n\n"
            await send({"type": "http.response.body", "body": text, "more_body": True})

    async def _pieces(self, mailbox: _Mailbox, begin: int) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        position = begin if self._after is None else self._after
        past = events(self._ask.server.house, after=position, wanted=self._wanted, upto=begin)
        while chunk := await to_thread.run_sync(_taken, past):
            async for piece in self._shown(chunk):
                yield piece
        position = max(position, begin)
        yield _place(position)
        while True:
            batch = await mailbox.get(_HEARTBEAT_SECONDS)
            if batch is None:
                await self._rights.check()
                yield _place(position)
                continue
            last, found = batch
            async for piece in self._shown(
                [e for e in found if e.id > position and self._wanted.takes(e)]
            ):
                yield piece
            position = max(position, last)

    async def _shown(self, found: list[Event]) -> AsyncIterator[bytes]:
        for at in range(0, len(found), _CHUNK):
            may = await self._rights.check()
            seen = [seen_by(event, may) for event in found[at : at + _CHUNK]]
            if piece := b"".join(_text(event) for event in seen if event is not None):
                yield piece


class _Rights:
    """What the caller of a stream may read, looked up again while it lives."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._caller = ask.caller
        self._looked = time.monotonic()

    async def check(self) -> Callable[[str], bool] | None:
        """Denied: `bad-token` if they may not be here any more."""
        if time.monotonic() - self._looked > _RIGHTS_SECONDS:
            self._caller = await to_thread.run_sync(self._look)
            self._looked = time.monotonic()
        return sight(self._ask.server.house, self._caller)

    def _look(self) -> Caller:
        caller = caller_of(self._ask.request)
        if caller.account is None and self._ask.caller.account is not None:
            raise Denied("bad-token", "you are not signed in any more", hint="yard login URL")
        return caller


def _taken(past: Iterator[Event]) -> list[Event]:
    return list(itertools.islice(past, _CHUNK))


def _text(event: Event) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), encode(event))


def _place(position: int) -> bytes:
    """A sign of life; it also moves `Last-Event-ID` past what is not shown to this client."""
    return b"id: %d\n:\n\n" % position


async def _gone(receive: Any) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
