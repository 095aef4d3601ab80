"""How often, how long, how much: limits of accounts and of requests."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastapi import FastAPI

from modelyard.core.access import Account, Caller
from modelyard.errors import Denied, Unavailable
from modelyard.server.limits import Rates
from modelyard.server.middleware import Front
from modelyard.server.routing import PUBLIC, Routes
from modelyard.server.settings import Settings
from modelyard.server.state import Ask, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from modelyard.registry.local import LocalYard

ANN = Caller(account=Account(id=7, name="ann"))
STRANGER = Caller(account=None, address="203.0.113.7")


def test_an_account_may_ask_so_often_and_another_all_the_same() -> None:
    rates = Rates(Settings(requests_per_minute=3, strangers_per_minute=2))
    for _ in range(3):
        rates.check(ANN)
    with pytest.raises(Unavailable) as told:
        rates.check(ANN)
    assert told.value.kind == "too-many-requests"
    assert 1 <= told.value.seconds <= 60  # type: ignore[attr-defined]
    rates.check(Caller(account=Account(id=8, name="bob")))
    for _ in range(2):
        rates.check(STRANGER)
    with pytest.raises(Unavailable):
        rates.check(STRANGER)


def test_guesses_for_one_account_do_not_lock_it_elsewhere() -> None:
    rates = Rates(Settings())
    for _ in range(10):
        rates.guessed("ann", "203.0.113.7")
    with pytest.raises(Unavailable):
        rates.check_guesses("ann", "203.0.113.7")
    rates.check_guesses("ann", "203.0.113.8")
    rates.check_guesses("bob", "203.0.113.7")


def test_wrong_tokens_are_told_to_wait_and_right_ones_are_not() -> None:
    rates = Rates(Settings())
    kinds = []
    for _ in range(60):
        try:
            with rates.guessing("Bearer wrong", "203.0.113.7"):
                raise Denied("bad-token", "no")
        except (Denied, Unavailable) as error:
            kinds.append(error.kind)
    assert kinds[0] == "bad-token"
    assert kinds[-1] == "too-many-requests"
    with rates.guessing("Bearer right", "203.0.113.7"):
        pass


@asynccontextmanager
async def _served(yard: LocalYard, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Routes that take their time, behind the real front."""
    routes = Routes("slow", prefix="")
    began: list[str] = []

    @routes.get("/slow", needs=PUBLIC)
    def slow(ask: Ask) -> str:
        """Slow."""
        time.sleep(0.6)
        began.append("slow")
        return "late"

    @routes.get("/patient", needs=PUBLIC, seconds=math.inf)
    def patient(ask: Ask) -> str:
        """Slow, and said so."""
        time.sleep(0.6)
        return "in its own time"

    @routes.post("/raw", needs=PUBLIC, largest_body=100)
    def raw(ask: Ask) -> int:
        """Bytes."""
        return sum(map(len, ask.body()))

    @routes.get("/broken", needs=PUBLIC)
    def broken(ask: Ask) -> str:
        """Broken."""
        raise ValueError("secret words of the inside")

    app = FastAPI()
    app.state.server = Server(yard, settings)
    app.include_router(routes.router)
    front: Any = Front(app, app.state.server)
    transport = httpx2.ASGITransport(app=front)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def test_what_takes_too_long_is_answered_in_time(yard: LocalYard) -> None:
    async def run() -> None:
        async with _served(yard, Settings(seconds=0.2)) as client:
            answer = await client.get("/slow")
            assert (answer.status_code, answer.json()["kind"]) == (504, "timeout")
            assert (await client.get("/patient")).json() == "in its own time"

    asyncio.run(run())


def test_more_at_once_than_there_is_room_for_are_sent_away(yard: LocalYard) -> None:
    async def run() -> None:
        async with _served(yard, Settings(at_once=2)) as client:
            answers = await asyncio.gather(*[client.get("/patient") for _ in range(5)])
            told = sorted(answer.status_code for answer in answers)
            assert told == [200, 200, 503, 503, 503]
            busy = next(answer for answer in answers if answer.status_code == 503)
            assert busy.headers["retry-after"] == "1"
            assert (await client.get("/patient")).status_code == 200

    asyncio.run(run())


def test_a_handler_reads_a_raw_body_within_its_bound(yard: LocalYard) -> None:
    async def run() -> None:
        async with _served(yard, Settings()) as client:
            assert (await client.post("/raw", content=b"x" * 100)).json() == 100
            answer = await client.post("/raw", content=b"x" * 101)
            assert (answer.status_code, answer.json()["kind"]) == (413, "too-large")

            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(30):
                    yield b"x" * 10

            answer = await client.post("/raw", content=pieces())
            assert (answer.status_code, answer.json()["kind"]) == (413, "too-large")

    asyncio.run(run())


def test_what_goes_wrong_inside_stays_inside(
    yard: LocalYard, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with _served(yard, Settings()) as client:
            answer = await client.get("/broken")
            assert (answer.status_code, answer.json()["kind"]) == (500, "internal")
            assert "secret words" not in answer.text

    asyncio.run(run())
