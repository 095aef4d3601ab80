"""Distances of counts and of values: scipy's numbers, and what must hold of any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from scipy.spatial.distance import jensenshannon

from modelyard.monitoring.drift import distances

two = st.integers(2, 40).flatmap(
    lambda bins: st.tuples(
        *(arrays.arrays(np.int64, bins, elements=st.integers(0, 1_000)) for _ in range(2))
    )
).filter(lambda pair: all(side.sum() > 1 for side in pair))  # fmt: skip


@given(two)
def test_js_is_scipys(pair):
    assert distances.js(*pair) == pytest.approx(jensenshannon(*pair), abs=1e-7)


@given(two)
def test_total_variation_is_half_of_what_moved(pair):
    one, other = (side / side.sum() for side in pair)
    assert distances.total_variation(*pair) == pytest.approx(np.maximum(one - other, 0).sum())


@given(two)
def test_chi_square_is_scipys(pair):
    table = np.array(pair)
    table = table[:, table.sum(axis=0) > 0]
    value, freedom = distances.chi2(*pair)
    assert freedom == table.shape[1] - 1
    if freedom:
        assert value == pytest.approx(stats.chi2_contingency(table, correction=False)[0])


@given(two)
def test_ranks_are_scipys(pair):
    samples = [np.repeat(np.arange(len(side)), side) for side in pair]
    delta, z = distances.rank(*pair)
    expected = stats.mannwhitneyu(*samples, use_continuity=False, method="asymptotic")
    assert delta == pytest.approx(
        2 * expected.statistic / (len(samples[0]) * len(samples[1])) - 1, abs=1e-12
    )
    if len(set(np.concatenate(samples).tolist())) > 1:
        assert 2 * stats.norm.sf(abs(z)) == pytest.approx(expected.pvalue, rel=1e-6)


@given(two)
def test_ks_is_scipys_of_the_bins(pair):
    samples = [np.repeat(np.arange(len(side)), side) for side in pair]
    assert distances.ks(*pair) == pytest.approx(stats.ks_2samp(*samples).statistic)
    assert distances.ks_of_values(*samples) == pytest.approx(stats.ks_2samp(*samples).statistic)


@given(two)
def test_psi_is_symmetric_and_nothing_for_equal_shares(pair):
    one, other = pair
    assert distances.psi(one, other) == pytest.approx(distances.psi(other, one))
    assert distances.psi(one, 3 * one) == pytest.approx(0, abs=1e-12)
    assert distances.psi(one, other) >= 0 or ((one == 0) ^ (other == 0)).any()


def test_psi_by_hand():
    told = distances.psi(np.array([30, 70]), np.array([50, 50]))
    assert told == pytest.approx(-0.2 * np.log(0.6) + 0.2 * np.log(1.4))


def test_an_empty_bin_counts_as_half_a_row():
    told = distances.psi(np.array([0, 100]), np.array([50, 50]))
    assert told == pytest.approx((0.005 - 0.5) * np.log(0.01) + 0.5 * np.log(2))


def test_columns_with_fewer_bins_may_be_filled_up():
    one, other = np.array([[3, 7, 0, 0], [1, 2, 3, 4]]), np.array([[5, 5, 0, 0], [4, 3, 2, 1]])
    for name in ("psi", "js", "ks", "total_variation"):
        function = getattr(distances, name)
        alone = function(one[0, :2], other[0, :2])
        assert function(one, other).tolist() == pytest.approx(
            [float(alone), float(function(one[1], other[1]))]
        )


@given(
    arrays.arrays(float, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
    arrays.arrays(float, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
)
def test_wasserstein_of_values_is_scipys(one, other):
    expected = stats.wasserstein_distance(one, other)
    assert distances.wasserstein_of_values(one, other) == pytest.approx(expected, abs=1e-6)


def test_wasserstein_of_bins_is_the_area_between_straight_lines():
    """Uniform on [0, 4] against uniform on [0, 2]: the mean moves by 1."""
    told = distances.wasserstein(
        np.array([1, 1, 1, 1]), np.array([2, 2, 0, 0]), np.array([1.0, 2.0, 3.0]), 0.0, 4.0
    )
    assert told == pytest.approx(1.0)


def test_wasserstein_of_bins_where_the_lines_cross():
    told = distances.wasserstein(np.array([0, 2, 2, 0]), np.array([1, 1, 1, 1]),
                                 np.array([1.0, 2.0, 3.0]), 0.0, 4.0)  # fmt: skip
    assert told == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_wasserstein_of_many_bins_is_near_that_of_values(name):
    random = np.random.default_rng(5)
    reference = getattr(random, name)(size=20_000)
    window = getattr(random, name)(size=20_000) * 1.2 + 0.1
    edges = np.quantile(reference, np.arange(1, 256) / 256)
    bins = [np.bincount(np.searchsorted(edges, s), minlength=256) for s in (window, reference)]
    low, high = min(window.min(), reference.min()), max(window.max(), reference.max())
    told = float(distances.wasserstein(*bins, edges, low, high))
    assert told == pytest.approx(distances.wasserstein_of_values(window, reference), rel=0.1)


def test_psi_and_js_of_values_are_those_of_their_bins():
    window, reference = np.array([0.5, 1.0, 1.5, 3.0]), np.array([0.0, 1.0, 2.0, 2.5])
    edges = np.array([1.0, 2.0])
    bins = np.array([2, 1, 1]), np.array([2, 1, 1])
    assert distances.psi_of_values(window, reference, edges) == distances.psi(*bins)
    assert distances.js_of_values(window, reference, edges) == distances.js(*bins)
