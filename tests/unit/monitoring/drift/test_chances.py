"""Tails of distributions and their inverses are scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from modelyard.monitoring.drift import chances


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 31, 32, 256, 0.7, 5.3, 190.4])
def test_the_tail_of_chi_square(freedom):
    values = freedom * np.array([1e-6, 0.1, 0.5, 0.99, 1.0, 1.1, 2.0, 5.0, 20.0])
    expected = stats.chi2.sf(values, freedom)
    told = chances.chi2_tail(values, freedom)
    assert np.allclose(told, expected, rtol=1e-9, atol=1e-15)


def test_the_tail_of_chi_square_at_its_ends():
    assert chances.chi2_tail([0.0, np.inf, 3.0], [4, 4, 0]).tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("freedom", [1, 2, 5, 31, 256, 0.7, 40.5])
@pytest.mark.parametrize("p", [0.5, 0.05, 1e-4, 1e-7, 1e-12])
def test_the_critical_value_of_chi_square(freedom, p):
    assert chances.chi2_critical(p, freedom) == pytest.approx(stats.chi2.isf(p, freedom), rel=1e-9)


def test_critical_values_of_many_columns_at_once():
    p, freedom = np.array([[1e-3], [1e-6]]), np.array([1.0, 31.0, 0.0])
    expected = stats.chi2.isf(p, freedom[:2])
    told = chances.chi2_critical(p, freedom)
    assert told.shape == (2, 3)
    assert np.allclose(told[:, :2], expected, rtol=1e-9)
    assert told[:, 2].tolist() == [0.0, 0.0]


def test_the_tails_of_the_normal_and_of_kolmogorov():
    values = np.linspace(0, 8, 50)
    assert np.allclose(chances.normal_tail(values), 2 * stats.norm.sf(values), rtol=1e-12)
    told = chances.kolmogorov_tail(values)
    assert np.allclose(told, stats.kstwobign.sf(values), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("p", [0.05, 1e-3, 1e-6, 1e-10])
def test_the_critical_values_of_the_normal_and_of_kolmogorov(p):
    assert chances.normal_critical(p) == pytest.approx(stats.norm.isf(p), rel=1e-9)
    assert chances.kolmogorov_critical(p) == pytest.approx(stats.kstwobign.isf(p), rel=1e-5)


def test_a_sum_of_weighted_chi_squares():
    """Simulated: the tail at its 1 % and 0.1 % quantiles."""
    random = np.random.default_rng(3)
    weights = np.array([5.0, 2.0, 1.0, *np.full(30, 0.2)])
    drawn = (random.chisquare(1, (400_000, len(weights))) * weights).sum(axis=1)
    powers = weights.sum(), (weights**2).sum(), (weights**3).sum()
    for p in (0.1, 0.01, 0.001):
        value = float(np.quantile(drawn, 1 - p))
        assert chances.weighted_chi2_tail(value, powers) == pytest.approx(p, rel=0.15)
        critical = chances.weighted_chi2_critical(p, powers)
        assert chances.weighted_chi2_tail(critical, powers) == pytest.approx(p, rel=1e-6)


def test_equal_weights_are_chi_square():
    assert chances.weighted_chi2_tail(2 * 20.0, (2 * 9.0, 4 * 9.0, 8 * 9.0)) == pytest.approx(
        stats.chi2.sf(20.0, 9)
    )
