"""ADWIN: a window that shrinks when its mean changed."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.monitoring.anomalies.adwin import Adwin


def test_the_mean_and_the_variance_are_those_of_the_window() -> None:
    random = np.random.default_rng(0)
    values = random.random(5000)
    adwin = Adwin()
    for value in values:
        assert not adwin.add(value)
    assert adwin.count == 5000
    assert adwin.mean == pytest.approx(values.mean(), rel=1e-12)
    assert adwin.variance == pytest.approx(values.var(), rel=1e-12)


def test_a_change_of_the_mean_is_found_and_what_was_before_is_dropped() -> None:
    random = np.random.default_rng(1)
    adwin = Adwin()
    found = [
        place for place, value in enumerate(
            np.concatenate([random.random(2000) < 0.1, random.random(2000) < 0.4])
        ) if adwin.add(float(value))
    ]  # fmt: skip
    assert 2000 < found[0] < 2200
    assert adwin.before == pytest.approx(0.1, abs=0.05)
    assert adwin.mean == pytest.approx(0.4, abs=0.05)
    assert adwin.count < 2200


def test_blocks_give_the_same_window_as_single_values() -> None:
    random = np.random.default_rng(2)
    values = random.random((400, 25))
    whole, parts = Adwin(1e-9), Adwin(1e-9, clock=1)
    for block in values:
        for value in block:
            whole.add(value)
        parts.add_block(len(block), block.mean(), float(block.var() * len(block)))
    assert parts.count == whole.count == 10_000
    assert parts.mean == pytest.approx(whole.mean, rel=1e-12)
    assert parts.variance == pytest.approx(whole.variance, rel=1e-12)


def test_blocks_of_different_sizes_find_the_same_change() -> None:
    random = np.random.default_rng(3)
    adwin, changed = Adwin(clock=1), []
    for block in range(100):
        count = int(random.integers(1, 200))
        share = float((random.random(count) < (0.05 if block < 60 else 0.3)).mean())
        if adwin.add_block(count, share, share * (1 - share) * count):
            changed.append(block)
    assert changed[0] in (60, 61, 62)


def test_memory_grows_with_the_logarithm_of_what_was_added() -> None:
    adwin = Adwin()
    for _ in range(100_000):
        adwin.add(0.5)
    assert adwin.parts < 100


def test_false_alarms_are_no_more_often_than_was_promised() -> None:
    random = np.random.default_rng(4)
    alarms = sum(
        any(adwin.add(value) for value in (random.random(1000) < 0.2).astype(float))
        for adwin in (Adwin(0.002) for _ in range(200))
    )
    assert alarms <= 4


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_values_that_are_all_the_same_change_nothing(value: float) -> None:
    adwin = Adwin(clock=1)
    assert not any(adwin.add(value) for _ in range(500))
    assert adwin.variance == 0.0


def test_an_empty_block_is_nothing() -> None:
    adwin = Adwin(clock=1)
    assert not adwin.add_block(0, 0.7)
    assert adwin.count == 0
