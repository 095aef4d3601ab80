"""How often drift is told of wrongly, and how often it is found: the benchmark, made small."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
from tests.benchmarks.monitoring import drift

pytestmark = pytest.mark.slow


@pytest.fixture
def given():
    return argparse.Namespace(windows=600, tries=100, seed=0)


def test_windows_in_which_nothing_changed_are_left_alone(given):
    """At 2 in 10,000 one of 600 has a chance of an eighth, two of less than a hundredth."""
    told = {check.what: check.value for check in drift.null(given)}
    assert told["windows with a drifted column"] <= 1
    assert told["windows with a suspected column"] <= 1


def test_a_shift_by_a_quarter_of_a_standard_deviation_is_found(given):
    found = [check for check in drift.power(given) if check.limit is not None]
    assert len(found) == 4
    assert all(check.value >= 0.98 for check in found), found


def test_a_simulated_window_is_like_a_real_one():
    """Counts drawn at once have the mean and spread of counted rows."""
    random = np.random.default_rng(3)
    made = drift.world(random, 100_000)
    chance = made.chances[0]
    drawn = np.array([made.window(1_000).numbers[0].counts for _ in range(400)])
    assert np.allclose(drawn.mean(axis=0), 1_000 * chance, atol=1.5)
    assert drawn.std(axis=0).mean() == pytest.approx(np.sqrt(1_000 / 32 * 31 / 32), rel=0.05)
