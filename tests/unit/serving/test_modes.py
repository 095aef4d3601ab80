"""How a version is run is measured, and an answer never depends on who else asks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from tests.unit.serving.numbers import Doubling

from modelyard.serving.executors import Inline, Threads, Tick
from modelyard.serving.interface import Wanted
from modelyard.serving.joining import run
from modelyard.serving.modes import executor_for, measure

EXAMPLE = {"x": np.arange(8, dtype=np.float32).reshape(4, 2)}
WANTED = Wanted(model="m", number=1, commit="0" * 40)


async def test_what_is_fast_runs_on_the_loop() -> None:
    executor = executor_for(Doubling(), EXAMPLE, WANTED)
    assert isinstance(executor, Inline)
    await executor.close()


async def test_what_gains_from_company_waits_for_its_turn() -> None:
    executor = executor_for(Doubling(seconds=0.0003), EXAMPLE, WANTED)
    assert isinstance(executor, Tick)
    await executor.close()


async def test_what_is_slow_and_gains_gets_a_thread() -> None:
    executor = executor_for(Doubling(seconds=0.005), EXAMPLE, WANTED)
    assert isinstance(executor, Threads)
    assert executor.mode == "thread"
    await executor.close()


async def test_what_does_not_gain_gets_a_thread_for_each_core() -> None:
    executor = executor_for(Doubling(per_row=0.002), EXAMPLE, WANTED)
    assert executor.mode == "pool"
    await executor.close()


async def test_what_lives_in_a_worker_is_asked_there() -> None:
    executor = executor_for(Doubling(pid=5, seconds=0.001), EXAMPLE, WANTED)
    assert executor.mode == "process"
    await executor.close()


def test_what_knows_no_rows_is_never_joined() -> None:
    assert measure(Doubling(rows=False, seconds=0.0003), EXAMPLE).together == 0


class Order(Doubling):
    """Adds in another order when there are many rows, as libraries of linear algebra do."""

    def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
        time.sleep(0.0003)
        x = feeds["x"]
        found = x * np.float32(1.1)
        return {"y": found if len(x) < 16 else (x * np.float32(11)) / np.float32(10)}


class Jealous(Doubling):
    """An answer that depends on the other rows."""

    def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
        time.sleep(0.0003)
        return {"y": feeds["x"] + feeds["x"].mean()}


def test_where_more_rows_change_an_answer_they_are_computed_in_blocks() -> None:
    measured = measure(Order(), EXAMPLE)
    assert measured.block > 1
    feeds = {"x": np.random.default_rng(1).random((measured.block, 2), np.float32)}
    alone = [
        run(Order(), {"x": feeds["x"][i : i + 1]}, 1, None, block=measured.block)["y"]
        for i in range(measured.block)
    ]
    np.testing.assert_array_equal(np.concatenate(alone), Order().run(feeds)["y"])


def test_where_every_row_changes_the_others_none_are_joined() -> None:
    assert measure(Jealous(), EXAMPLE).together == 0


def test_a_model_of_one_row_is_fine() -> None:
    class One(Doubling):
        def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
            if len(feeds["x"]) > 1:
                raise ValueError("one row, please")
            return super().run(feeds, outputs)

    assert measure(One(), EXAMPLE).together == 0


def test_a_slow_model_is_not_tried_for_long() -> None:
    begun = time.perf_counter()
    measure(Doubling(seconds=0.3), EXAMPLE)
    assert time.perf_counter() - begun < 8


@pytest.mark.slow
def test_real_linear_algebra_is_answered_alike_in_any_company() -> None:
    """sgemm adds in another order for another number of rows; blocks hide it."""
    weights = np.random.default_rng(0).random((64, 10), np.float32)

    class Linear(Doubling):
        def run(self, feeds: Any, outputs: Any = None, seconds: Any = None) -> Any:
            time.sleep(0.0005)
            return {"y": feeds["x"] @ weights}

    example = {"x": np.random.default_rng(1).random((16, 64), np.float32)}
    measured = measure(Linear(), example)
    if not measured.together:
        pytest.skip("no size of a block is answered alike on this processor")
    size = measured.block
    more = np.random.default_rng(2).random((size or 64, 64), np.float32)
    among = Linear().run({"x": more})["y"]
    for row in range(len(more)):
        alone = run(Linear(), {"x": more[row : row + 1]}, 1, None, block=size)["y"]
        np.testing.assert_array_equal(alone[0], among[row])
