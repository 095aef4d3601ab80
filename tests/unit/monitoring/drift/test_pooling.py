"""Poor bins are joined, and no row is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelyard.monitoring.drift.pooling import FEWEST, pooled

sides = st.integers(1, 30).flatmap(
    lambda bins: st.tuples(
        *(arrays.arrays(np.int64, (3, bins), elements=st.integers(0, 60)) for _ in range(2)),
        arrays.arrays(bool, 3),
    )
)


@given(sides)
def test_no_row_is_lost_and_bins_are_filled(given_sides):
    window, reference, ordered = given_sides
    one, other = pooled(window, reference, ordered)
    assert one.sum(axis=1).tolist() == window.sum(axis=1).tolist()
    assert other.sum(axis=1).tolist() == reference.sum(axis=1).tolist()
    for i in range(3):
        both = one[i] + other[i]
        small = min(one[i].sum(), other[i].sum())
        if np.count_nonzero(both) > 1:
            assert (both[both > 0] * small / both.sum() >= FEWEST - 1e-9).all()


def test_neighbours_of_numbers_are_joined():
    one, other = pooled(
        np.array([[2, 3, 30, 30, 1]]), np.array([[20, 30, 300, 300, 10]]), np.array([True])
    )
    assert one[0, :2].tolist() == [35, 31]
    assert other[0, :2].tolist() == [350, 310]


def test_rare_texts_become_one():
    one, other = pooled(
        np.array([[6, 90, 6, 90]]), np.array([[60, 900, 60, 900]]), np.array([False])
    )
    assert one[0].tolist() == [12, 90, 0, 90]
    assert other[0].tolist() == [120, 900, 0, 900]


def test_a_single_rare_text_joins_the_least_of_the_others():
    one, _ = pooled(np.array([[1, 90, 60]]), np.array([[10, 900, 600]]), np.array([False]))
    assert one[0].tolist() == [0, 90, 61]
