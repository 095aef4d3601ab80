"""Deployments of several servers on one catalog of each kind: each change is made once."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.deployment import DeploymentSpec, ServedVersion, Share
from modelyard.errors import Conflict, ModelyardError
from modelyard.registry import create, open_yard
from modelyard.registry.deployments import beat, due, poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.core.deployment import Deployment
    from modelyard.registry.local import LocalYard

pytestmark = pytest.mark.slow

_SERVERS = 4
_MOVES = 12


class Scale:
    """A model of our own."""

    def __init__(self, by: float) -> None:
        self.by = by

    def predict(self, inputs: Any) -> Any:
        return self.by * inputs


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def yards(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[LocalYard]]:
    """One yard with three versions of `m`, as several servers have it open."""
    url = None if request.param == "sqlite" else request.getfixturevalue(request.param)
    yard = create(tmp_path / "yard", catalog=url)
    for by in range(3):
        yard.commit("m", Scale(by))
    yard.alias("m", "prod", 1)
    opened = [yard, *(open_yard(yard.house.root) for _ in range(_SERVERS - 1))]
    yield opened
    for each in opened:
        each.close()


def deploy(
    yard: LocalYard, *parts: tuple[str, float], name: str = "svc", **rest: Any
) -> Deployment:
    shares = tuple(Share(model="m", revision=rev, percent=part) for rev, part in parts)
    spec = DeploymentSpec(name=name, shares=shares, trusted=("*",))
    return yard.deployments.apply(spec, **rest)


def each_of(yards: list[LocalYard], work: Callable[[LocalYard], object]) -> list[object]:
    """What each of them gives, or the error that it raises, all at the same time."""
    found: list[object] = []
    begin = threading.Barrier(len(yards))

    def run(yard: LocalYard) -> None:
        begin.wait(20)
        try:
            found.append(work(yard))
        except ModelyardError as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(yard,)) for yard in yards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == len(yards)
    return found


def test_of_those_who_deploy_a_new_name_at_once_one_makes_it(yards: list[LocalYard]) -> None:
    found = each_of(yards, lambda yard: deploy(yard, ("1", 100), generation=0))
    lost = [each for each in found if isinstance(each, Conflict)]
    assert len(lost) == _SERVERS - 1
    assert {each.kind for each in lost} == {"deployment-changed"}
    again = each_of(yards, lambda yard: deploy(yard, ("2", 100)))
    assert not [each for each in again if isinstance(each, ModelyardError)]
    assert yards[0].deployments.get("svc").generation == 1 + _SERVERS


def test_every_move_of_an_alias_is_followed_and_written_down_once(yards: list[LocalYard]) -> None:
    deploy(yards[0], ("prod", 100))
    over = threading.Event()

    def serve(yard: LocalYard) -> object:
        stamp, seen = poll(yard.house)
        while not over.is_set():
            stamp, changed = poll(yard.house, stamp)
            seen = changed or seen
            states = [
                ServedVersion(model="m", number=1, commit="0" * 40, state="ready") for _ in range(2)
            ]
            beat(yard.house, f"server-{id(yard)}", {"svc": (1, states)})
            due(yard.house)
        return poll(yard.house)[0]

    def move(yard: LocalYard) -> object:
        try:
            for turn in range(_MOVES):
                yard.alias("m", "prod", 2 + turn % 2)
        finally:
            over.set()
        return poll(yard.house)[0]

    work = {id(yard): serve for yard in yards[1:]} | {id(yards[0]): move}
    found = each_of(yards, lambda yard: work[id(yard)](yard))
    assert not [each for each in found if isinstance(each, ModelyardError)], found
    number = yards[0].resolve("m", "prod").number
    for yard in yards:
        wished = poll(yard.house)[1]
        assert wished is not None
        assert wished[0].spec.stable.number == number
    history = list(yards[0].deployments.changes("svc"))[::-1]
    assert [each.generation for each in history] == list(range(1, len(history) + 1))
    served = [each.spec.stable.number for each in history]
    assert all(a != b for a, b in itertools.pairwise(served)), "each once"
    assert len(yards[0].deployments.get("svc").servers) == _SERVERS - 1


def test_of_several_servers_one_takes_a_step(yards: list[LocalYard]) -> None:
    deploy(yards[0], ("1", 99), ("2", 1))
    yards[0].deployments.roll_out("svc", [5, 25, 50, 100], 600)
    for turn in range(1, 4):
        at = datetime.now(UTC) + timedelta(hours=turn)
        found = each_of(yards, lambda yard, at=at: due(yard.house, at))  # type: ignore[misc]
        assert sorted(map(str, found)) == sorted(["()"] * (_SERVERS - 1) + ["('svc',)"])
    assert yards[0].deployments.get("svc").spec.stable.number == 2
    actions = [each.action for each in yards[0].deployments.changes("svc")][::-1]
    assert actions == ["deploy", "rollout", "step", "step", "promote"]


def test_what_is_deleted_and_deployed_at_once_is_one_of_both(yards: list[LocalYard]) -> None:
    for turn in range(6):
        number = yards[0].commit("m", Scale(100.0 + turn), branch="side").number
        deleting = yards[0]

        def work(yard: LocalYard, number: int = number, deleting: LocalYard = deleting) -> object:
            if yard is deleting:
                return yard.delete_version("m", number)
            return deploy(yard, (str(number), 100), name=f"svc-{number}")

        found = each_of(yards[:2], work)
        failed = [each for each in found if isinstance(each, ModelyardError)]
        assert len(failed) == 1, found
        assert failed[0].kind in ("protected", "version-deleted"), failed
