"""Times of requests: bins, quantiles, what is told of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.monitoring.extracting import Timed, asked_of
from modelyard.monitoring.live import Live
from modelyard.monitoring.performance import of_tile
from modelyard.monitoring.performances import (
    fold_performance,
    latency_bins,
    latency_quantile,
    new_performance,
)
from modelyard.monitoring.tiles import LATENCY_BINS

MS = 1_000_000


def timed(total: int, *, queue: int = 0, error: str | None = None, rows: int = 1) -> Timed:
    begun = 5_000 * MS
    ended = begun + total
    return begun, begun, begun + queue, ended, ended, rows, rows, error, "ann"


@given(st.lists(st.integers(0, 40_000_000_000), min_size=1, max_size=50))
def test_a_longer_time_is_in_no_lower_bin(times):
    bins = latency_bins(np.sort(np.array(times)))
    assert (np.diff(bins) >= 0).all()
    assert bins.min() >= 0
    assert bins.max() < LATENCY_BINS


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_is_within_nine_percent(share):
    times = np.random.default_rng(1).lognormal(14, 1.2, 50_000).astype(np.int64)
    counts = np.bincount(latency_bins(times), minlength=LATENCY_BINS)
    assert latency_quantile(counts, share) == pytest.approx(
        np.quantile(times, share) / 1e9, rel=0.09
    )


def test_of_nothing_there_are_no_quantiles():
    assert latency_quantile(np.zeros(LATENCY_BINS, np.int64), 0.5) is None


def test_phases_are_told_apart_and_errors_from_rejections():
    asked = asked_of(
        [timed(10 * MS, queue=4 * MS), timed(10 * MS), timed(MS, error="model-failed"),
         timed(MS, error="overloaded"), timed(MS, error="bad-inputs")],
        second=100,
    )  # fmt: skip
    tile = new_performance()
    fold_performance(tile, asked)
    told = of_tile(tile, seconds=10)
    assert (told.requests, told.rows, told.errors, told.rejected) == (5, 2, 1, 1)
    assert told.rate == 0.5
    assert told.p50 == pytest.approx(0.010, rel=0.1)
    assert told.phases["queue"][2] == pytest.approx(0.004, rel=0.1)
    assert told.saturation == pytest.approx(4 / 20)


def test_the_last_seconds_are_looked_at_and_older_ones_forgotten():
    live = Live()
    for second in range(1000, 1300):
        live.add("fraud", "m", 1, asked_of([timed(10 * MS)] * 3, second))
    assert live.versions() == [("fraud", "m", 1)]
    assert live.of_last("fraud", "m", 1, 1299.5, 10).requests == 30
    assert live.of_last("fraud", "m", 1, 1299.5, 180).requests == pytest.approx(540, abs=30)
    live.forget("fraud")
    assert live.of_last("fraud", "m", 1, 1299.5, 10).requests == 0
