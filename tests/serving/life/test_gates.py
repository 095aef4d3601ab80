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


def test_nothing_tells_a_hidden_deployment_from_one_that_is_not_there(yard: LocalYard) -> None:
    """By any path: for somebody who reads other models, and for an account that reads none."""
    from tests.unit.serving.asking import ask

    from modelyard.serving.app import PlaneApp
    from modelyard.serving.plane import Plane

    house = admins(yard)
    for name, role in (("eve", None), ("ann", "other")):
        create_account(house, name, password="correct horse battery")
        if role:
            Desk(house).give_role(name, "other", "reader")

    async def work() -> None:
        plane = Plane(AccountsGate(yard.house, per_minute=(3000, 3000)))
        app = PlaneApp(plane)
        for who in ("eve", "ann"):
            shown = basic(who, "correct horse battery")[b"authorization"].decode()
            told = []
            for there in (True, False):
                if there:
                    plane.put(line())
                else:
                    plane.drop("own")
                for method, path in (
                    ("POST", "/v2/models/own/infer"), ("GET", "/v2/models/own"),
                    ("GET", "/v2/models/own/ready"), ("POST", "/predict/own"),
                    ("POST", "/v2/repository/models/own/load"),
                    ("POST", "/v2/repository/models/own/unload"),
                    ("POST", "/v2/repository/index"), ("POST", "/invocations"),
                    ("GET", "/predict/own/docs"), ("GET", "/v2/models/own/stats"),
                ):  # fmt: skip
                    found = await ask(app, method, path, b"", authorization=shown)
                    told.append((method, path, found.status, found.body))
            half = len(told) // 2
            assert told[:half] == told[half:]
            assert not [one for one in told if one[2] == 500]
        plane.recorder.stop()

    asyncio.run(work())


def test_listing_counts_as_one_request(yard: LocalYard) -> None:
    from tests.unit.serving.asking import ask

    from modelyard.core.deployment import Limits
    from modelyard.serving.app import PlaneApp
    from modelyard.serving.plane import Plane

    _, token = _token(admins(yard))

    async def work() -> None:
        plane = Plane(AccountsGate(yard.house))
        plane.put(line(limits=Limits(per_minute=2)))
        for _ in range(5):
            found = await ask(
                PlaneApp(plane), "POST", "/v2/repository/index", b"",
                authorization=f"Bearer {token}",
            )  # fmt: skip
            assert (found.status, len(found.json)) == (200, 0)

    asyncio.run(work())
