"""Deployments come true: loaded first, swapped in one step, and let go; failures stay outside."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.serving.life.here import Here, broken, here, plus, spec_of

from modelyard.core.deployment import Limits
from modelyard.errors import Unavailable
from modelyard.registry import create
from modelyard.serving.interface import Client
from modelyard.serving.plane import _Shadow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.local import LocalYard
    from modelyard.serving.interface import Line, Wanted


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalYard]:
    """`m` has three versions that add 1, 2 and 3; the fourth can't be loaded."""
    folder = tmp_path_factory.mktemp("life")
    with create(folder / "yard") as opened:
        for number in (1, 2, 3):
            opened.commit("m", plus(folder / f"m{number}", number))
        opened.commit("m", broken(folder / "m4"))
        opened.commit("n", plus(folder / "n", 10, size=50_000))
        yield opened


@pytest.fixture(autouse=True)
def _nothing_deployed(yard: LocalYard) -> Iterator[None]:
    yield
    for deployment in yard.deployments.list():
        yard.deployments.undeploy(deployment.name)


def test_a_deployment_answers_and_says_how(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            assert (await one.ask("own")).status == 404
            await one.deploy(spec_of("own", "m@1"))
            said = await one.ask("own", value=0.5)
            assert (said.version, said.value) == ("1", 1.5)
            told = one.told("own")[1]
            assert (told.state, told.mode) == ("ready", "inline")
            assert (told.memory or 0) > 0

    asyncio.run(work())


def test_requests_for_what_is_loaded_for_the_first_time_wait(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            made = await asyncio.to_thread(yard.deployments.apply, spec_of("own", "m@1"))
            await asyncio.to_thread(one.life.apply_now, made)
            assert (await one.ask("own")).value == 1

    asyncio.run(work())


def test_what_never_could_be_loaded_is_not_ready_and_says_why(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@4"))
            said = await one.ask("own")
            assert said.status == 503
            assert "NoSuch" in said.text
            assert (await one.send("GET", "/v2/models/own/ready"))[0] != 200
            await one.deploy(spec_of("own", "m@3"))
            assert (await one.ask("own")).value == 3
            assert one.plane.lines["own"].fallback is None

    asyncio.run(work())


def test_after_a_start_what_can_be_loaded_answers_for_what_cannot(yard: LocalYard) -> None:
    async def work() -> None:
        made = yard.deployments.apply(spec_of("own", "m@2", "m@4=50"))
        async with here(yard) as one:
            await one.life.settled()
            assert {(await one.ask("own")).value for _ in range(30)} == {2}
            assert one.life.statuses()["own"].generation < made.generation

    asyncio.run(work())


def test_a_change_swaps_and_a_rollback_is_immediate(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            await one.deploy(spec_of("own", "m@2"))
            assert (await one.ask("own")).value == 2
            loads = len(one.loads)
            back = await asyncio.to_thread(yard.deployments.roll_back, "own")
            begun = time.perf_counter()
            await asyncio.to_thread(one.life.apply_now, back)
            assert (await one.ask("own")).value == 1
            assert time.perf_counter() - begun < 0.05
            assert len(one.loads) == loads

    asyncio.run(work())


def test_what_cannot_be_loaded_never_answers_and_the_line_stays(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            first = await one.deploy(spec_of("own", "m@1"))
            await one.deploy(spec_of("own", "m@4"))
            assert [(await one.ask("own")).value for _ in range(20)] == [1] * 20
            told = one.told("own")
            assert told[4].state == "failed"
            assert told[4].reason
            assert told[1].state == "ready"
            assert one.life.statuses()["own"].generation == first.generation
            await one.deploy(spec_of("own", "m@3"))
            assert (await one.ask("own")).value == 3

    asyncio.run(work())


def test_a_canary_that_cannot_be_loaded_leaves_all_to_the_stable_version(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            await one.deploy(spec_of("own", "m@1", "m@4=50"))
            assert {(await one.ask("own")).value for _ in range(40)} == {1}

    asyncio.run(work())


def test_a_shadow_that_cannot_be_loaded_stops_nothing(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@2", "m@4~100"))
            assert (await one.ask("own")).value == 2
            assert one.told("own")[4].state == "failed"

    asyncio.run(work())


def test_what_a_request_woke_while_others_were_loaded_is_served(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            failed, go_on = asyncio.Event(), asyncio.Event()

            async def hinder(wanted: Wanted) -> None:
                if wanted.number == 2:
                    await go_on.wait()
                elif not failed.is_set():
                    failed.set()
                    raise Unavailable("load-failed", "not this time")

            one.hinder = hinder
            made = await asyncio.to_thread(yard.deployments.apply, spec_of("own", "m@3", "m@2=50"))
            await asyncio.to_thread(one.life.apply_now, made)
            await failed.wait()
            place = next(p for p in one.slots.everything() if p.slot.number == 3)
            await one.until(lambda: time.monotonic() > place.not_before > 0)
            await place.slot.wake()
            go_on.set()
            await one.until(lambda: one.plane.lines["own"].generation == made.generation, 5)

    asyncio.run(work())


def test_an_error_that_nobody_thought_of_leaves_no_deployment_as_it_is(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            course, raised = one.life.courses["own"], asyncio.Event()
            put = course._put

            def fail(line: Line) -> None:
                raised.set()
                raise ZeroDivisionError

            course._put = fail
            made = await asyncio.to_thread(yard.deployments.apply, spec_of("own", "m@2"))
            await asyncio.to_thread(one.life.apply_now, made)
            await raised.wait()
            course._put = put
            await one.until(lambda: one.plane.lines["own"].slots[0].number == 2, 5)

    asyncio.run(work())


def test_shares_are_kept_and_versions_can_be_named(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1", "m@2=30"))
            values = [(await one.ask("own")).value for _ in range(600)]
            assert 0.2 < values.count(2) / 600 < 0.4
            assert (await one.ask("own", "2")).value == 2
            assert (await one.ask("own", "3")).status == 404

    asyncio.run(work())


def test_an_alias_is_followed_within_a_second(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            yard.alias("m", "prod", 1)
            await one.deploy(spec_of("own", "m@prod"))
            await asyncio.to_thread(yard.alias, "m", "prod", 2)
            begun = time.perf_counter()
            while (await one.ask("own")).value != 2:
                assert time.perf_counter() - begun < 1.0
                await asyncio.sleep(0.005)
            actions = [change.action for change in yard.deployments.changes("own")]
            assert actions[0] == "follow"

    asyncio.run(work())


@pytest.mark.parametrize("turns", range(6))
def test_it_ends_though_there_is_news_at_that_moment(yard: LocalYard, turns: int) -> None:
    async def work() -> None:
        one = Here(yard)
        one.life.start()
        await one.life.settled()
        one.life._news.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        await one.plane.close()
        async with asyncio.timeout(5):
            await one.life.close()

    asyncio.run(work())


def test_a_process_that_starts_again_serves_what_is_wished(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@2"))
        async with here(yard) as two:
            await two.life.settled()
            assert (await two.ask("own")).value == 2

    asyncio.run(work())


def test_what_is_undeployed_is_not_there_and_unloaded(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@2"))
            await asyncio.to_thread(yard.deployments.undeploy, "own")
            one.life.apply_now()
            await one.until(lambda: not one.plane.lines)
            assert (await one.ask("own")).status == 404
            await one.until(lambda: not one.engine.status())

    asyncio.run(work())


def test_versions_that_nobody_asks_sleep_and_the_next_request_wakes_them(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1", limits=Limits(idle=0.2)))
            await one.until(lambda: one.told("own")[1].state == "asleep")
            await one.until(lambda: not one.engine.status())
            loads = len(one.loads)
            answers = await asyncio.gather(*(one.ask("own") for _ in range(20)))
            assert [answer.value for answer in answers] == [1] * 20
            assert len(one.loads) == loads + 1

    asyncio.run(work())


def test_of_too_many_versions_the_least_asked_sleeps(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard, budget=1) as one:
            await one.deploy(spec_of("first", "m@1"))
            await one.deploy(spec_of("second", "n@1"))
            assert one.told("first")[1].state == "asleep"
            assert (await one.ask("first")).value == 1
            assert one.told("second")[1].state == "asleep"
            assert (await one.ask("second")).value == 10

    asyncio.run(work())


def test_what_is_pinned_stays_when_others_want_its_memory(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard, budget=1) as one:
            await one.deploy(spec_of("first", "m@1", limits=Limits(pinned=True)))
            await one.deploy(spec_of("second", "n@1"))
            await one.deploy(spec_of("third", "m@2"))
            assert one.told("first")[1].state == "ready"
            assert one.told("second")[1].state == "asleep"

    asyncio.run(work())


def test_deployments_of_one_version_share_it(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("first", "m@1"))
            await one.deploy(spec_of("second", "m@1"))
            assert len(one.loads) == 1
            await asyncio.to_thread(yard.deployments.undeploy, "first")
            await one.life.look()
            assert (await one.ask("second")).value == 1

    asyncio.run(work())


def test_what_is_undeployed_before_its_turn_to_load_is_never_loaded(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            go_on = asyncio.Event()

            async def hinder(wanted: Wanted) -> None:
                await go_on.wait()

            one.hinder = hinder
            for name, source in (("a", "m@1"), ("b", "m@2"), ("own", "m@3")):
                made = await asyncio.to_thread(yard.deployments.apply, spec_of(name, source))
                await asyncio.to_thread(one.life.apply_now, made)
                await asyncio.sleep(0.05)
            await asyncio.to_thread(yard.deployments.undeploy, "own")
            await one.life.look()
            go_on.set()
            await one.life.settled()
            await asyncio.sleep(0.2)
            assert sorted(wanted.number for wanted in one.loads) == [1, 2]

    asyncio.run(work())


def test_who_still_asks_the_place_before_takes_nothing_from_the_one_now(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            before = one.plane.lines["own"].slots[0]
            await asyncio.to_thread(yard.deployments.undeploy, "own")
            await one.life.look()
            await one.until(lambda: not one.engine.status())
            await one.deploy(spec_of("own", "m@1"))
            now = one.plane.lines["own"].slots[0]
            assert now is not before
            served = await before.wake()
            await asyncio.sleep(0.8)  # what is forgotten is swept twice a second
            assert now.served is served
            assert [each.state for each in one.engine.status()] == ["ready"]
            assert (await one.ask("own")).value == 1

    asyncio.run(work())


def test_what_two_places_share_is_freed_with_the_last(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            place = one.slots.of(one.plane.lines["own"].slots[0])
            twin = one.slots.place("embedded", replace(place.wanted, replicas=2))
            twin.wanted = place.wanted  # as an engine takes both for the same
            assert await twin.slot.wake() is place.slot.served
            one.slots.sleep(twin)
            await asyncio.sleep(0.1)
            assert (await one.ask("own")).value == 1
            one.slots.sleep(place)
            await one.until(lambda: not one.engine.status())

    asyncio.run(work())


def test_copies_for_a_shadow_that_is_gone_wake_nothing(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1", "m@2~100"))
            line = one.plane.lines["own"]
            slot = line.shadows[0][0]
            await one.deploy(spec_of("own", "m@1"))
            await one.until(lambda: slot.served is None)
            nobody: Any = SimpleNamespace(request="r", client=Client("c", "c"), trace=None)
            copy = _Shadow(slot, line, {"x": np.zeros((1, 1), np.float32)}, 1, nobody)
            loads = len(one.loads)
            await one.plane._shadow(copy)
            assert slot.served is None
            assert len(one.loads) == loads

    asyncio.run(work())


def test_after_it_goes_on_only_new_failures_count(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            await one.deploy(spec_of("own", "m@2"))
            course, slot = one.life.courses["own"], one.plane.lines["own"].slots[0]
            slot.strikes = 7
            assert course.give_away(slot) is not None
            assert slot.strikes == 0

    asyncio.run(work())


def test_a_version_that_fails_again_and_again_gives_its_share_away(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            await one.deploy(spec_of("own", "m@2"))
            _strike(one, "own", 2)
            begun = time.perf_counter()
            while (await one.ask("own")).value != 1:
                _strike(one, "own", 2)
                assert time.perf_counter() - begun < 2
                await asyncio.sleep(0.01)
            await one.until(lambda: _last_action(yard, "own") == "fallback")
            await asyncio.sleep(0.6)  # the note of it is seen, and changes nothing
            assert (await one.ask("own")).value == 1
            await one.changed(await asyncio.to_thread(yard.deployments.resume, "own"))
            assert (await one.ask("own")).value == 2

    asyncio.run(work())


def test_a_canary_that_fails_again_and_again_gets_no_more_requests(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1", "m@2=50"))
            begun = time.perf_counter()
            while one.life.courses["own"].fell_back is None:
                _strike(one, "own", 2)
                assert time.perf_counter() - begun < 2
                await asyncio.sleep(0.01)
            await one.until(lambda: _last_action(yard, "own") == "fallback")
            await asyncio.sleep(0.6)
            assert {(await one.ask("own")).value for _ in range(30)} == {1}

    asyncio.run(work())


@pytest.mark.slow
def test_a_worker_that_dies_is_started_again_and_one_that_dies_always_is_not(
    yard: LocalYard,
) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            await one.deploy(spec_of("own", "m@2", placement="process"))
            assert one.told("own")[2].mode == "process"
            before = _kill_worker(one, "own")
            await one.until(lambda: _worker(one, "own") not in (None, before), 30)
            assert (await one.ask("own")).value == 2
            place = one.slots.of(one.plane.lines["own"].slots[0])
            place.deaths = [time.monotonic()] * 5
            _kill_worker(one, "own")
            await one.until(lambda: one.told("own")[2].state == "failed", 5)
            await one.until(lambda: _last_action(yard, "own") == "fallback", 5)
            assert (await one.ask("own")).value == 1

    asyncio.run(work())


@pytest.mark.slow
def test_a_worker_that_is_lost_is_replaced_later_if_it_cannot_be_at_once(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@2", placement="process", replicas=2))
            before, failed = one.plane.lines["own"].slots[0].served, 0

            async def hinder(wanted: Wanted) -> None:
                nonlocal failed
                if not failed:
                    failed += 1
                    raise Unavailable("load-failed", "not this time")

            one.hinder = hinder
            _kill_worker(one, "own")
            slot = one.plane.lines["own"].slots[0]
            await one.until(lambda: "a worker is gone" in (slot.reason or ""), 5)
            # the first may be the one that finds it dead
            assert 2 in [(await one.ask("own")).value for _ in range(4)]
            await one.until(lambda: slot.served not in (None, before), 30)
            assert (await one.ask("own")).value == 2

    asyncio.run(work())


def _worker(one: Here, name: str) -> int | None:
    served = one.plane.lines[name].slots[0].served
    held = one.engine._held.get(served)
    return held.opened.pids[0] if held else None


def _kill_worker(one: Here, name: str) -> int:
    pid = _worker(one, name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_the_repository_protocol_unloads_and_loads(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            status, _ = await one.send("POST", "/v2/repository/models/own/unload", {})
            assert status == 200
            assert (await one.ask("own")).status in (400, 503)
            assert (await one.send("GET", "/v2/models/own/ready"))[0] != 200
            status, _ = await one.send("POST", "/v2/repository/models/own/load", {})
            assert status == 200
            assert (await one.ask("own")).value == 1

    asyncio.run(work())


def test_what_is_unloaded_is_unloaded_for_one_deployment_only(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("first", "m@1"))
            await one.deploy(spec_of("second", "m@1"))
            await one.send("POST", "/v2/repository/models/first/unload", {})
            assert (await one.ask("first")).status in (400, 503)
            assert one.told("first")[1].state == "asleep"
            assert (await one.ask("second")).value == 1
            await one.send("POST", "/v2/repository/models/second/unload", {})
            await one.until(lambda: not one.engine.status())
            await one.send("POST", "/v2/repository/models/first/load", {})
            assert (await one.ask("first")).value == 1
            assert (await one.ask("second")).status in (400, 503)

    asyncio.run(work())


def test_what_was_unloaded_answers_again_once_something_else_is_wished(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            await one.send("POST", "/v2/repository/models/own/unload", {})
            await one.deploy(spec_of("own", "m@2"))
            assert (await one.ask("own")).value == 2
            await one.changed(await asyncio.to_thread(yard.deployments.roll_back, "own"))
            assert (await one.ask("own")).value == 1

    asyncio.run(work())


def test_many_changes_under_load_lose_no_request(yard: LocalYard) -> None:
    async def work() -> None:
        async with here(yard) as one:
            await one.deploy(spec_of("own", "m@1"))
            ended, bad, count = False, [], 0

            async def ask() -> None:
                nonlocal count
                while not ended:
                    said = await one.ask("own")
                    count += 1
                    if said.status != 200:
                        bad.append(said)
                    await asyncio.sleep(0)

            clients = [asyncio.create_task(ask()) for _ in range(4)]
            for turn in range(8):
                await one.deploy(spec_of("own", f"m@{turn % 2 + 1}"))
                await one.deploy(spec_of("own", f"m@{turn % 2 + 1}", "m@3=20"))
                await one.deploy(spec_of("own", "m@4"))
                back = await asyncio.to_thread(yard.deployments.roll_back, "own")
                await one.changed(back)
            ended = True
            await asyncio.gather(*clients)
            assert not bad
            assert count > 200

    asyncio.run(work())


def _strike(one: Here, name: str, number: int) -> None:
    """As if a version had failed by its own fault, several times in a row."""
    line = one.plane.lines[name]
    for slot in line.slots:
        if slot.number == number:
            slot.strikes = 7


def _last_action(yard: LocalYard, name: str) -> str:
    return next(iter(yard.deployments.changes(name))).action
