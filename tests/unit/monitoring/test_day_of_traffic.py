"""Millions of rows, folded: nothing is lost, and memory stays as it is."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tests.benchmarks.monitoring.fold import Day, cpu, schema_of_numbers, some_rows

from modelyard.monitoring.folding import fold, merge, new_tile


def test_half_a_million_rows_are_folded_in_a_second_of_one_core():
    schema = schema_of_numbers()
    rows, tile = some_rows(schema, 4_096), new_tile(schema)
    taken = cpu(lambda: fold(tile, rows), least=0.2)
    assert 4_096 / taken > 500_000


@pytest.mark.slow
def test_a_million_rows_by_two_workers_are_one_day():
    schema = schema_of_numbers()
    workers = new_tile(schema), new_tile(schema)
    pool = some_rows(schema, 100_000)
    for turn in range(10):
        fold(workers[turn % 2], pool)
    whole = new_tile(schema)
    for worker in workers:
        merge(whole, worker)
    assert whole.rows == 1_000_000
    for at, number in enumerate(whole.numbers):
        counts = np.bincount(
            np.searchsorted(np.array(schema.columns[at].edges), pool.numbers[:, at]), minlength=32
        )
        assert number.counts.tolist() == (10 * counts).tolist()
        assert number.mean == pytest.approx(pool.numbers[:, at].mean(), abs=1e-12)
        assert number.kll.n == 1_000_000


@pytest.mark.slow
def test_a_day_of_ten_million_rows_takes_less_than_a_minute_and_no_more_memory():
    begun = time.process_time()
    day = Day(10_000_000)
    assert day.tile.rows >= 10_000_000
    assert int(day.tile.predicted.scores.sum()) == 2 * day.tile.rows
    assert all(int(number.counts.sum()) == day.tile.rows for number in day.tile.numbers)
    assert day.memory[-1] - day.memory[0] < 20
    assert day.packed < 100_000
    assert time.process_time() - begun < 60
