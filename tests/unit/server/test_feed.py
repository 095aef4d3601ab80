"""Streams of events that nobody reads, and many at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from modelyard.core.events import Wanted
from modelyard.errors import Unavailable
from modelyard.server import feed
from modelyard.server.auth import caller_of
from modelyard.server.feed import EventStream, feed_of
from modelyard.server.settings import Settings
from modelyard.server.state import Ask, Server

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalYard


@pytest.fixture
def ask(yard: LocalYard, tmp_path: Path) -> Ask:
    """A request of whoever has this machine."""
    file = tmp_path / "model.txt"
    file.write_text("x")
    yard.commit("team/a", file)
    app = FastAPI()
    app.state.server = Server(yard, Settings(accounts=False))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "app": app,
             "query_string": b""}  # fmt: skip
    request = Request(scope)
    return Ask(app.state.server, caller_of(request), request)


class Client:
    """The other side of a stream: it reads as long as it wants to."""

    def __init__(self, reads: int) -> None:
        self.reads = reads
        self.got = b""
        self.gone = asyncio.Event()

    async def send(self, message: Any) -> None:
        if self.reads <= 0:
            await asyncio.sleep(3600)
        self.reads -= 1
        self.got += message.get("body", b"")

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def _until(done: asyncio.Task[None], seconds: float) -> bool:
    await asyncio.wait([done], timeout=seconds)
    return done.done()


def test_a_client_that_takes_nothing_is_cut_off(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_SLOWEST_SECONDS", 0.3)

    async def run() -> bool:
        client = Client(reads=2)
        stream = EventStream(ask, Wanted(), 0)
        return await _until(asyncio.create_task(stream({}, client.receive, client.send)), 5)

    assert asyncio.run(run())
    assert not feed_of(ask.server)._streams


def test_a_client_that_lags_behind_is_cut_off_and_others_hear_all(
    ask: Ask, yard: LocalYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_QUEUED", 20)
    monkeypatch.setattr(feed, "_SLOWEST_SECONDS", 2.0)
    monkeypatch.setattr(feed, "_LOOK_SECONDS", 0.02)

    async def run() -> tuple[bool, bytes]:
        slow, quick = Client(reads=3), Client(reads=10_000)
        lagging = asyncio.create_task(EventStream(ask, Wanted(), None)({}, slow.receive, slow.send))
        hearing = asyncio.create_task(
            EventStream(ask, Wanted(), None)({}, quick.receive, quick.send)
        )
        await asyncio.sleep(0.5)
        began = time.monotonic()
        for turn in range(40):
            await asyncio.to_thread(yard.label, "team/a", add={"turn": str(turn)})
        cut = await _until(lagging, 6)
        assert time.monotonic() - began < 6
        await asyncio.sleep(0.3)
        quick.gone.set()
        await _until(hearing, 5)
        return cut, quick.got

    cut, got = asyncio.run(run())
    assert cut
    assert got.count(b"event: label-changed") == 40


def test_a_client_that_leaves_is_forgotten_and_the_feed_rests(ask: Ask) -> None:
    async def run() -> bool:
        client = Client(reads=100)
        task = asyncio.create_task(
            EventStream(ask, Wanted(), None)({}, client.receive, client.send)
        )
        await asyncio.sleep(0.3)
        client.gone.set()
        return await _until(task, 5)

    assert asyncio.run(run())
    limit = time.monotonic() + 5
    while feed_of(ask.server)._thread is not None and time.monotonic() < limit:
        time.sleep(0.02)
    assert feed_of(ask.server)._thread is None


def test_there_is_an_end_to_how_many_listen(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_STREAMS", 0)

    async def run() -> None:
        client = Client(reads=10)
        await EventStream(ask, Wanted(), None)({}, client.receive, client.send)

    with pytest.raises(Unavailable, match="too many"):
        asyncio.run(run())
