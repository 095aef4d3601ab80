"""Who may ask: looked up once a second, whatever they show."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING

import pytest
from tests.serving.life.here import plus, spec_of

from modelyard.errors import Denied, NotFound, Unavailable
from modelyard.registry import create
from modelyard.registry.access import caller_of, create_account, first_account, set_password
from modelyard.registry.access.desk import Desk
from modelyard.serving.gates import AccountsGate
from modelyard.serving.interface import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.house import House
    from modelyard.registry.local import LocalYard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    with create(tmp_path / "yard") as opened:
        opened.commit("m", plus(tmp_path / "m", 1))
        first_account(opened.house)
        yield opened


def admins(yard: LocalYard) -> House:
    return yard.house.on_behalf_of(caller_of(yard.house, "admin"))


def line(**options: object) -> Line:
    spec = spec_of("own", "m@1", **options)
    return Line("own", spec, 1, (), ())


def basic(name: str, password: str) -> dict[bytes, bytes]:
    return {b"authorization": b"Basic " + base64.b64encode(f"{name}:{password}".encode())}


def test_a_password_is_checked_once_as_long_as_it_stays(yard: LocalYard) -> None:
    house = admins(yard)
    create_account(house, "ann", password="correct horse battery")
    Desk(house).give_role("ann", "m", "reader")
    gate, asked = AccountsGate(yard.house), line()
    shown = basic("ann", "correct horse battery")

    async def work() -> None:
        assert gate.known(shown, "1.2.3.4", asked) is None
        assert (await gate.look(shown, "1.2.3.4", asked)).name == "ann"
        begun = time.process_time()
        for _ in range(20):
            await gate.look(shown, "1.2.3.4", asked)
        assert time.process_time() - begun < 0.5
        set_password(house, "ann", "another horse battery")
        with pytest.raises(Denied, match="wrong"):
            await gate.look(shown, "1.2.3.4", asked)
        assert gate.known(shown, "1.2.3.4", asked) is None

    asyncio.run(work())


def test_a_deployment_that_one_may_not_read_is_not_there(yard: LocalYard) -> None:
    house = admins(yard)
    create_account(house, "eve", password="correct horse battery")
    gate = AccountsGate(yard.house)

    async def work() -> None:
        with pytest.raises(NotFound, match="unknown model"):
            await gate.look(basic("eve", "correct horse battery"), None, line())
        with pytest.raises(Denied, match="say who you are"):
            await gate.look({}, "1.2.3.4", line())

    asyncio.run(work())


def test_a_deployment_may_allow_a_client_less_than_the_server(yard: LocalYard) -> None:
    from modelyard.core.deployment import Limits

    house = admins(yard)
    _, token = _token(house)
    gate, asked = AccountsGate(yard.house), line(limits=Limits(per_minute=5))
    shown = {b"authorization": b"Bearer " + token.encode()}

    async def work() -> None:
        for _ in range(5):
            await gate.look(shown, None, asked)
        with pytest.raises(Unavailable, match="too many requests"):
            gate.known(shown, None, asked)

    asyncio.run(work())


def test_who_was_known_goes_on_while_the_catalog_does_not_answer(yard: LocalYard) -> None:
    _, token = _token(admins(yard))
    gate, asked = AccountsGate(yard.house), line()
    shown = {b"authorization": b"Bearer " + token.encode()}

    async def work() -> None:
        await gate.look(shown, None, asked)
        place = yard.house.catalog_path
        assert place is not None
        aside = place.with_suffix(".aside")
        yard.house.catalog.engine.dispose()
        place.rename(aside)
        place.mkdir()  # in its place is what no database can be
        try:
            assert (await gate.look(shown, None, asked)).name == "admin"
            with pytest.raises(Unavailable):
                await gate.look({}, None, asked)
        finally:
            place.rmdir()
            aside.rename(place)
        assert (await gate.look(shown, None, asked)).name == "admin"

    asyncio.run(work())


def _token(house: House) -> tuple[object, str]:
    made = Desk(house).make_token("admin", name="t", role="writer", models=(), days=1)
    return made.token, made.secret
