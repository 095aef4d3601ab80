"""Where versions compute: alone, together, in time or not at all."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from tests.unit.serving.numbers import Doubling

from modelyard.errors import InvalidInput, Unavailable
from modelyard.serving.executors import Inline, Pace, Threads, Tick
from modelyard.serving.failures import Late, Overloaded
from modelyard.serving.interface import Timing


def rows(*values: float) -> dict[str, Any]:
    return {"x": np.array([[v, v] for v in values], np.float32)}


def pace(per_row: float = 1e-6, queue: int = 4096, workers: int = 1) -> Pace:
    return Pace(per_row, queue, workers)


async def asked(executor: Any, feeds: Any, seconds: float = 10.0) -> Any:
    found = executor.submit(feeds, len(feeds["x"]), None, time.monotonic() + seconds, Timing())
    return found if type(found) is dict else await found


async def test_inline_answers_at_once() -> None:
    runtime = Doubling()
    executor = Inline(runtime, pace(), most=10)
    found = executor.submit(rows(1), 1, None, time.monotonic() + 1, Timing())
    assert found["y"].tolist() == [[2, 2]]
    await executor.close()
    assert runtime.closed


async def test_inline_leaves_many_rows_to_a_thread() -> None:
    runtime = Doubling()
    executor = Inline(runtime, pace(), most=2)
    found = await asked(executor, rows(1, 2, 3))
    assert found["y"][:, 0].tolist() == [2, 4, 6]
    import threading

    assert threading.get_ident() not in runtime.threads
    await executor.close()


async def test_inline_leaves_large_rows_to_a_thread() -> None:
    import threading

    runtime = Doubling()
    executor = Inline(runtime, pace(), most=10, elements=20)
    found = await asked(executor, {"x": np.ones((1, 50), np.float32)})
    assert found["y"].shape == (1, 50)
    assert threading.get_ident() not in runtime.threads
    await executor.close()


@pytest.mark.parametrize("kind", ["inline", "tick"])
async def test_what_once_took_long_on_the_loop_never_computes_there_again(kind: str) -> None:
    import threading

    runtime = Doubling(seconds=0.03)
    executor = (
        Inline(runtime, pace(), most=10) if kind == "inline"
        else Tick(runtime, pace(), most=10, block=0)
    )  # fmt: skip
    await asked(executor, rows(1))
    assert executor.mode == "thread"
    assert runtime.threads == {threading.get_ident()}
    found = await asked(executor, rows(2))
    assert found["y"].tolist() == [[4, 4]]
    assert len(runtime.threads) == 2
    await executor.close()


async def test_a_request_that_a_library_fails_on_spoils_no_other() -> None:
    class Picky(Doubling):
        def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
            if (feeds["x"] == 13).any():
                raise Unavailable("model-failed", "the model failed: IndexError")
            return super().run(feeds, outputs)

    executor = Tick(Picky(), pace(), most=100, block=0)
    found = await asyncio.gather(
        *(asked(executor, rows(i)) for i in (1, 13, 3)), return_exceptions=True
    )
    assert isinstance(found[1], Unavailable)
    assert [found[i]["y"][0, 0] for i in (0, 2)] == [2, 6]
    await executor.close()


async def test_a_worker_is_told_when_nobody_waits_any_more() -> None:
    told: list[Any] = []

    class Told(Doubling):
        def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
            told.append(seconds)
            return super().run(feeds, outputs)

    executor = Threads([Told(pid=5)], pace(), batch=0, mode="process")
    await asked(executor, rows(1), seconds=2.0)
    assert 6.5 < told[0] <= 7.0
    await executor.close()


async def test_requests_of_one_turn_are_computed_together() -> None:
    runtime = Doubling()
    executor = Tick(runtime, pace(), most=100, block=0)
    found = await asyncio.gather(*(asked(executor, rows(i)) for i in range(20)))
    assert [one["y"][0, 0] for one in found] == [2 * i for i in range(20)]
    assert runtime.batches == [20]
    await executor.close()


async def test_a_turn_has_a_largest_batch() -> None:
    runtime = Doubling()
    executor = Tick(runtime, pace(), most=8, block=0)
    await asyncio.gather(*(asked(executor, rows(i)) for i in range(20)))
    assert runtime.batches == [8, 8, 4]
    await executor.close()


async def test_what_waits_while_a_thread_computes_goes_together() -> None:
    runtime = Doubling(seconds=0.02)
    executor = Threads([runtime], pace(), batch=64)
    found = await asyncio.gather(*(asked(executor, rows(i)) for i in range(30)))
    assert [one["y"][0, 0] for one in found] == [2 * i for i in range(30)]
    assert sum(runtime.batches) == 30
    assert len(runtime.batches) <= 4
    await executor.close()


async def test_fewer_rows_than_a_block_are_filled_up() -> None:
    runtime = Doubling()
    executor = Threads([runtime], pace(), batch=8, block=8)
    found = await asked(executor, rows(1, 2, 3))
    assert found["y"][:, 0].tolist() == [2, 4, 6]
    assert runtime.batches == [8]
    await executor.close()


async def test_only_requests_of_one_kind_are_joined() -> None:
    runtime = Doubling()
    executor = Tick(runtime, pace(), most=100, block=0)
    wide = {"x": np.zeros((1, 3), np.float32)}
    fine = {"x": np.zeros((1, 2), np.float64)}
    found = await asyncio.gather(*(asked(executor, one) for one in (rows(1), wide, fine, rows(2))))
    assert [one["y"].shape for one in found] == [(1, 2), (1, 3), (1, 2), (1, 2)]
    assert found[2]["y"].dtype == np.float64
    assert runtime.batches == [2, 1, 1]
    await executor.close()


async def test_one_bad_request_spoils_no_other() -> None:
    executor = Tick(Doubling(), pace(), most=100, block=0)
    found = await asyncio.gather(
        asked(executor, rows(1)), asked(executor, rows(float("nan"))), asked(executor, rows(3)),
        return_exceptions=True,
    )  # fmt: skip
    assert isinstance(found[1], InvalidInput)
    assert [found[i]["y"][0, 0] for i in (0, 2)] == [2, 6]
    await executor.close()


async def test_a_model_that_loses_rows_is_asked_row_by_row() -> None:
    class Losing(Doubling):
        def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
            found = super().run(feeds, outputs)
            return found if len(feeds["x"]) == 1 else {"y": found["y"][:1]}

    executor = Tick(Losing(), pace(), most=100, block=0)
    found = await asyncio.gather(*(asked(executor, rows(i)) for i in range(5)))
    assert [one["y"][0, 0] for one in found] == [2 * i for i in range(5)]
    await executor.close()


async def test_who_would_be_late_is_told_at_once_when_to_come_again() -> None:
    executor = Threads([Doubling(seconds=0.05)], pace(per_row=0.05), batch=0)
    first = asyncio.ensure_future(asked(executor, rows(1)))
    await asyncio.sleep(0)
    begun = time.perf_counter()
    with pytest.raises(Overloaded) as told:
        await asked(executor, rows(2), seconds=0.01)
    assert time.perf_counter() - begun < 0.005
    assert 0.05 < told.value.seconds < 1
    await first
    await executor.close()


async def test_no_more_rows_wait_than_may() -> None:
    executor = Threads([Doubling(seconds=0.05)], pace(queue=3), batch=0)
    several = [asyncio.ensure_future(asked(executor, rows(i))) for i in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await asked(executor, rows(9))
    assert executor.waiting == 3
    await asyncio.gather(*several)
    assert executor.waiting == 0
    await executor.close()


async def test_who_waited_too_long_is_not_computed() -> None:
    runtime = Doubling(seconds=0.1)
    executor = Threads([runtime], pace(), batch=0)
    first = asyncio.ensure_future(asked(executor, rows(1)))
    await asyncio.sleep(0.01)
    with pytest.raises(Late):
        await asked(executor, rows(2), seconds=0.02)
    await first
    assert len(runtime.batches) == 1
    await executor.close()


async def test_closing_lets_what_waits_be_answered() -> None:
    runtime = Doubling(seconds=0.02)
    executor = Threads([runtime], pace(), batch=0)
    several = [asyncio.ensure_future(asked(executor, rows(i))) for i in range(3)]
    await asyncio.sleep(0)
    await executor.close()
    assert [one["y"][0, 0] for one in await asyncio.gather(*several)] == [0, 2, 4]
    assert runtime.closed
    with pytest.raises(Unavailable, match="not served any more"):
        await asked(executor, rows(1))


async def test_a_dead_worker_is_told_once_and_its_requests_fail() -> None:
    told: list[int] = []
    executor = Threads([Doubling(dies=True)], pace(), batch=64, died=lambda: told.append(1))
    found = await asyncio.gather(
        *(asked(executor, rows(i)) for i in range(3)), return_exceptions=True
    )
    assert all(isinstance(one, Unavailable) and one.kind == "model-died" for one in found)
    assert told
    await executor.close()


async def test_workers_share_the_work() -> None:
    several = [Doubling(seconds=0.02), Doubling(seconds=0.02)]
    executor = Threads(several, pace(workers=2), batch=0, mode="process")
    await asyncio.gather(*(asked(executor, rows(i)) for i in range(8)))
    assert all(len(one.batches) >= 2 for one in several)
    await executor.close()


async def test_what_a_library_raises_is_told_by_its_class_alone() -> None:
    class Failing(Doubling):
        def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
            raise RuntimeError("password=hunter2")

    executor = Inline(Failing(), pace(), most=10)
    with pytest.raises(Unavailable) as told:
        await asked(executor, rows(1))
    assert told.value.message == "the model failed: RuntimeError"
    await executor.close()


def test_refusals_travel_between_processes() -> None:
    import pickle

    again = pickle.loads(pickle.dumps(Overloaded(2.5)))
    assert (type(again), again.seconds) == (Overloaded, 2.5)
    assert type(pickle.loads(pickle.dumps(Late()))) is Late
