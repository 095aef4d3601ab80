"""Paired tests: exact where small, honest between equals, sharp between the unequal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelyard.core.metrics import Classified, Regressed, Resampler
from modelyard.core.significance import (
    holm,
    mcnemar,
    paired_bootstrap,
    paired_mcnemar,
    student_tail,
)


def test_mcnemar_is_the_sign_test_where_few_rows_differ():
    from scipy.stats import binomtest

    for only_a, only_b in [(0, 0), (1, 0), (3, 9), (10, 15), (0, 25)]:
        expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
        assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_takes_half_of_the_outcome_itself_where_more_rows_differ():
    from scipy.stats import binom, binomtest

    for only_a, only_b in [(11, 15), (470, 530), (30, 60)]:
        total = only_a + only_b
        mid = binomtest(only_a, total).pvalue - binom.pmf(only_a, total, 0.5)
        assert mcnemar(only_a, only_b) == pytest.approx(mid, rel=1e-9)


def test_mcnemar_of_very_many_rows_is_close_to_the_sign_test():
    from scipy.stats import binomtest

    for only_a, only_b in [(470, 531), (4800, 5200), (60_000, 61_000)]:
        expected = binomtest(only_a, only_a + only_b).pvalue
        assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=0.02)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_mcnemar_of_rows_counts_those_that_only_one_got_right():
    a = np.array([True] * 80 + [False] * 20)
    b = np.array([True] * 70 + [False] * 10 + [True] * 20)
    test = paired_mcnemar(a, b)
    assert test.difference == pytest.approx(0.1)
    assert test.p == pytest.approx(mcnemar(10, 20))
    assert test.low < 0.1 < test.high


@pytest.mark.parametrize("metric", ["rmse", "mae", "p95_error"])
def test_equals_are_rarely_called_different_and_the_better_is_found(metric):
    alarms = found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        common = rng.normal(size=400)
        a, b, better = (
            Regressed(common * scale + rng.normal(size=400) * 0.5) for scale in (1, 1, 0.75)
        )
        resampler = Resampler(seed, 200)
        equal = paired_bootstrap(a, b, metric, resampler)
        unequal = paired_bootstrap(a, better, metric, resampler)
        alarms += equal.p < 0.05
        found += unequal.p < 0.05 and unequal.difference < 0
    assert alarms <= 12
    assert found >= 80


def test_a_single_row_tells_nothing():
    a, b = Regressed(np.array([1.0])), Regressed(np.array([3.0]))
    assert paired_bootstrap(a, b, "mae", Resampler(0, 200)) is None


def test_the_tail_of_student_is_that_of_scipy():
    from scipy.stats import t as student

    for freedom in (1, 2, 3, 4, 7, 19, 50, 98, 99):
        for value in (0.0, 1e-9, 0.3, -1.0, 2.1, 12.7, 400.0):
            expected = 2 * student.sf(abs(value), freedom)
            assert student_tail(value, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("rows", [2, 3, 5, 8, 20])
def test_few_rows_are_tested_by_student(rows):
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(rows)
    a, b = np.abs(rng.normal(size=rows)), np.abs(rng.normal(size=rows)) + 0.5
    found = paired_bootstrap(Regressed(a), Regressed(b), "mae", Resampler(0, 20_000))
    expected = ttest_rel(b, a)
    assert found.p == pytest.approx(expected.pvalue, rel=0.1, abs=1e-3)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=0.05)


@pytest.mark.parametrize("rows", [2, 3, 5, 8, 20])
@pytest.mark.parametrize("metric", ["rmse", "mae", "f1", "log_loss"])
def test_few_rows_rarely_call_equals_different(rows, metric):
    rng = np.random.default_rng(rows)
    resampler = Resampler(0, 200)
    alarms = 0
    for _ in range(300):
        if metric in ("rmse", "mae"):
            a, b = Regressed(rng.normal(size=rows)), Regressed(rng.normal(size=rows))
        else:
            a, b = _guesses(rng, rows)
        found = paired_bootstrap(a, b, metric, resampler)
        alarms += found is not None and found.p < 0.05
    assert alarms <= 30


def _guesses(rng, rows):
    """Two classifiers that are equally sure and equally good, on the same rows."""
    truth = rng.integers(0, 2, rows)
    given = [np.clip(truth * 0.3 + rng.random(rows) * 0.7, 0.01, 0.99) for _ in range(2)]
    return (
        Classified.of(("n", "y"), truth, (g > 0.5).astype(int), np.column_stack([1 - g, g]))
        for g in given
    )


def test_what_differs_alike_in_all_of_a_few_rows_may_be_chance():
    a, b = Regressed(np.full(3, 1.0)), Regressed(np.full(3, 2.0))
    assert paired_bootstrap(a, b, "mae", Resampler(0, 200)).p == 0.25


def test_the_same_rows_do_not_differ():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2000)
    given = np.clip(truth * 0.4 + rng.random(2000) * 0.6, 0, 1)
    facts = Classified.of(("n", "y"), truth, (given > 0.5).astype(int),
                          np.column_stack([1 - given, given]))  # fmt: skip
    for metric in ("f1", "roc_auc", "log_loss"):
        test = paired_bootstrap(facts, facts, metric, Resampler(0, 100))
        assert (test.difference, test.p) == (0.0, 1.0)
        assert not math.isnan(test.low)


def test_a_metric_without_a_value_has_no_test():
    facts = Regressed(np.ones(10))
    assert paired_bootstrap(facts, facts, "r2", Resampler(0, 20)) is None
