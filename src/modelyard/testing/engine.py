"""What every engine promises, as tests: subclass `EngineTests` and give it an engine and a yard."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.errors import Denied, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.serving.interface import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from modelyard.serving.interface import Array, Engine, Feeds, Outputs, Served, Wanted

__all__ = ["Asked", "EngineCase", "EngineTests"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A version, at least eight rows for it that differ, and what it says of them."""

    wanted: Wanted
    feeds: Feeds
    expected: Mapping[str, Array]
    """As the model's own library computes it, without any runtime."""


@dataclass(frozen=True, slots=True)
class EngineCase:
    """An engine over a yard with these versions; the tests may change what it has loaded."""

    engine: Engine
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    """Runs a coroutine on the engine's event loop."""
    first: Asked
    """Takes rows; its inputs are numbers, one of them called as `feeds` does."""
    second: Asked
    """The next version of the same model: same inputs, other answers."""
    words: Asked
    """Takes text and gives text."""
    foreign: Asked
    """Of a library whose models live in a process of their own; answers within 1e-6."""
    broken: Wanted
    """Can't be loaded."""
    untrusted: Wanted
    """Would run code that nobody named."""
    kill: Callable[[Served], None]
    """Kills, without a word, the process that `foreign` lives in."""


class EngineTests:
    """Give a fixture `case` -> `EngineCase`; it may be made once for a class."""

    seconds = 60.0
    """For an answer."""

    # -- answers -----------------------------------------------------------------------------

    def test_it_answers_as_the_models_own_library_bit_for_bit(self, case: EngineCase) -> None:
        _same(self._one(case, case.first), case.first.expected)

    def test_text_goes_in_and_comes_out(self, case: EngineCase) -> None:
        found = self._one(case, case.words)
        assert {n: a.tolist() for n, a in found.items()} == {
            n: a.tolist() for n, a in case.words.expected.items()
        }

    def test_models_of_other_libraries_answer_too(self, case: EngineCase) -> None:
        found = self._one(case, case.foreign)
        for name, array in case.foreign.expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-6)

    def test_inputs_and_outputs_are_told(self, case: EngineCase) -> None:
        served: Served = case.run(case.engine.apply(case.first.wanted))
        assert {spec.name for spec in served.inputs} == set(case.first.feeds)
        assert {spec.name for spec in served.outputs} == set(case.first.expected)
        wanted = case.first.wanted
        told = (served.model, served.number, served.commit, served.rows)
        assert told == (wanted.model, wanted.number, wanted.commit, True)
        assert served.framework
        assert served.platform

    def test_only_wanted_outputs_come(self, case: EngineCase) -> None:
        name = next(iter(case.first.expected))
        _same(self._one(case, case.first, outputs=[name]), {name: case.first.expected[name]})

    def test_a_row_is_answered_alike_alone_and_in_any_company(self, case: EngineCase) -> None:
        rows = len(next(iter(case.first.feeds.values())))

        async def ask() -> list[Outputs]:
            served = await case.engine.apply(case.first.wanted)
            parts = [_part(case.first.feeds, n % rows, n % rows + 1) for n in range(200)]
            return await asyncio.gather(*(self._ask(case, served, part) for part in parts))

        for place, found in enumerate(case.run(ask())):
            _same(found, _part(case.first.expected, place % rows, place % rows + 1))

    def test_large_tensors_come_whole(self, case: EngineCase) -> None:
        rows = len(next(iter(case.first.feeds.values())))
        many = {name: np.tile(array, (200_000 // rows, 1)) for name, array in
                case.first.feeds.items()}  # fmt: skip
        expected = {n: np.tile(a, (200_000 // rows, 1)) for n, a in case.first.expected.items()}
        _same(self._one(case, replace(case.first, feeds=many)), expected)

    def test_where_the_time_went_is_told(self, case: EngineCase) -> None:
        timing = Timing(begun=time.perf_counter_ns())

        async def ask() -> None:
            served = await case.engine.apply(case.first.wanted)
            await self._ask(case, served, case.first.feeds, timing=timing)

        case.run(ask())
        ended = time.perf_counter_ns()
        assert timing.begun <= timing.queued <= timing.computed <= ended
        assert timing.batch >= 1

    # -- what goes wrong ---------------------------------------------------------------------

    def test_what_a_model_can_not_take_is_invalid_input_for_who_asked(
        self, case: EngineCase
    ) -> None:
        name, array = next(iter(case.first.feeds.items()))
        wrong = {**case.first.feeds, name: np.concatenate((array, array), axis=1)}

        async def ask() -> list[Any]:
            served = await case.engine.apply(case.first.wanted)
            every = [case.first.feeds, wrong, case.first.feeds]
            asked = (self._ask(case, served, feeds) for feeds in every)
            return await asyncio.gather(*asked, return_exceptions=True)

        before, failed, after = case.run(ask())
        assert isinstance(failed, InvalidInput)
        _same(before, case.first.expected)
        _same(after, case.first.expected)

    def test_a_version_that_is_not_there_is_not_found(self, case: EngineCase) -> None:
        missing = replace(case.first.wanted, number=999, commit="0" * 40)
        with pytest.raises(NotFound):
            case.run(case.engine.apply(missing))
        self._nothing_left(case, missing)

    def test_a_version_that_can_not_be_loaded_leaves_nothing(self, case: EngineCase) -> None:
        with pytest.raises(ModelyardError):
            case.run(case.engine.apply(case.broken))
        self._nothing_left(case, case.broken)
        _same(self._one(case, case.first), case.first.expected)

    def test_nothing_is_run_that_is_not_trusted(self, case: EngineCase) -> None:
        with pytest.raises(Denied) as caught:
            case.run(case.engine.apply(case.untrusted))
        assert caught.value.kind == "untrusted"

    def test_who_has_no_time_left_is_told_so(self, case: EngineCase) -> None:
        async def ask() -> None:
            served = await case.engine.apply(case.foreign.wanted)
            asked = [self._ask(case, served, case.foreign.feeds) for _ in range(20)]
            late = self._ask(case, served, case.foreign.feeds, seconds=1e-4)
            found = await asyncio.gather(*asked, late, return_exceptions=True)
            assert isinstance(found[-1], Unavailable)
            assert found[-1].kind in ("deadline", "overloaded")
            assert not any(isinstance(each, Exception) for each in found[:-1])

        case.run(ask())

    def test_more_rows_than_may_wait_are_refused_at_once(self, case: EngineCase) -> None:
        narrow = replace(case.foreign.wanted, queue_rows=64)

        async def ask() -> None:
            served = await case.engine.apply(narrow)
            try:
                row = _part(case.foreign.feeds, 0, 1)
                asked = [self._ask(case, served, row) for _ in range(300)]
                begun = time.monotonic()
                found = await asyncio.gather(*asked, return_exceptions=True)
                refused = [each for each in found if isinstance(each, Unavailable)]
                assert {each.kind for each in refused} == {"overloaded"}
                assert 64 <= len(found) - len(refused) <= 128
                assert time.monotonic() - begun < 30
                assert served.executor.waiting == 0
            finally:
                await case.engine.drain(served, 5)

        case.run(ask())

    def test_a_killed_process_fails_its_requests_and_comes_back(self, case: EngineCase) -> None:
        async def ask() -> None:
            served = await case.engine.apply(case.foreign.wanted)
            await self._ask(case, served, case.foreign.feeds)
            asked = [
                asyncio.ensure_future(self._ask(case, served, case.foreign.feeds))
                for _ in range(20)
            ]
            await asyncio.sleep(0)
            case.kill(served)
            begun = time.monotonic()
            for found in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(found, Exception):  # some were answered before
                    assert isinstance(found, Unavailable)
            assert time.monotonic() - begun < 60
            while True:
                try:
                    again = await case.engine.apply(case.foreign.wanted)
                    await self._ask(case, again, case.foreign.feeds)
                except Unavailable:
                    assert time.monotonic() - begun < 60
                    await asyncio.sleep(0.05)
                else:
                    break

        case.run(ask())

    # -- changes -----------------------------------------------------------------------------

    def test_equal_wishes_share_what_is_loaded(self, case: EngineCase) -> None:
        async def apply() -> list[Served]:
            asked = (case.engine.apply(case.first.wanted) for _ in range(5))
            return await asyncio.gather(*asked)

        assert len({id(served) for served in case.run(apply())}) == 1

    def test_versions_answer_beside_each_other_and_take_turns_without_a_failure(
        self, case: EngineCase
    ) -> None:
        """What a front does: load, assign, drain, while requests come all the time."""

        async def change() -> None:
            route = await case.engine.apply(case.first.wanted)
            going = True
            seen = {"first": 0, "second": 0}

            async def client() -> None:
                while going:
                    served = route
                    served.under_way += 1
                    try:
                        found = await self._ask(case, served, case.first.feeds)
                    finally:
                        served.under_way -= 1
                    asked = "first" if served.number == case.first.wanted.number else "second"
                    expected = case.first.expected if asked == "first" else case.second.expected
                    _same(found, expected)
                    seen[asked] += 1
                    await asyncio.sleep(0)

            clients = [asyncio.ensure_future(client()) for _ in range(4)]
            await asyncio.sleep(0.2)
            for turn in (case.second, case.first, case.second):
                before, route = route, await case.engine.apply(turn.wanted)
                await asyncio.sleep(0.2)
                await case.engine.drain(before, 10)
            going = False
            await asyncio.gather(*clients)
            assert min(seen.values()) > 10

        case.run(change())

    def test_what_is_under_way_is_answered_before_a_version_goes(self, case: EngineCase) -> None:
        async def drain() -> None:
            served = await case.engine.apply(case.second.wanted)
            asked = [
                asyncio.ensure_future(self._ask(case, served, case.second.feeds)) for _ in range(50)
            ]
            await asyncio.sleep(0)
            await case.engine.drain(served, 10)
            for found in await asyncio.gather(*asked):
                _same(found, case.second.expected)

        case.run(drain())
        self._nothing_left(case, case.second.wanted)

    def test_a_version_can_be_loaded_again_after_it_went(self, case: EngineCase) -> None:
        async def again() -> tuple[Served, Served]:
            before = await case.engine.apply(case.second.wanted)
            await case.engine.drain(before, 10)
            await case.engine.drain(before, 10)  # which does nothing
            return before, await case.engine.apply(case.second.wanted)

        before, after = case.run(again())
        assert before is not after
        _same(self._one(case, case.second), case.second.expected)

    def test_it_tells_what_it_has_loaded(self, case: EngineCase) -> None:
        async def look() -> tuple[Any, Any]:
            await case.engine.drain(await case.engine.apply(case.second.wanted), 10)
            loading = asyncio.ensure_future(case.engine.apply(case.second.wanted))
            await asyncio.sleep(0)
            during = case.engine.status()
            await loading
            return during, case.engine.status()

        during, after = case.run(look())
        states = [
            {each.state for each in told if each.commit == case.second.wanted.commit}
            for told in (during, after)
        ]
        assert states == [{"loading"}, {"ready"}]
        assert all(each.mode for each in after if each.state == "ready")

    # ----------------------------------------------------------------------------------------

    async def _ask(
        self,
        case: EngineCase,
        served: Served,
        feeds: Feeds,
        outputs: list[str] | None = None,
        seconds: float | None = None,
        timing: Timing | None = None,
    ) -> Outputs:
        rows = len(next(iter(feeds.values())))
        deadline = time.monotonic() + (seconds or self.seconds)
        timing = timing or Timing(begun=time.perf_counter_ns(), rows=rows)
        found = case.engine.infer(served, feeds, rows, outputs, deadline, timing)
        return found if isinstance(found, dict) else await found

    def _one(
        self, case: EngineCase, asked: Asked, outputs: list[str] | None = None
    ) -> dict[str, Array]:
        async def ask() -> Outputs:
            served = await case.engine.apply(asked.wanted)
            return await self._ask(case, served, asked.feeds, outputs)

        found: dict[str, Array] = case.run(ask())
        return found

    def _nothing_left(self, case: EngineCase, wanted: Wanted) -> None:
        assert not [each for each in case.engine.status() if each.commit == wanted.commit]


def _part(arrays: Mapping[str, Array], start: int, end: int) -> dict[str, Array]:
    return {name: array[start:end] for name, array in arrays.items()}


def _same(found: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
