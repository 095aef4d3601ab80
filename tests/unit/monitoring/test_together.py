"""How numbers go together: sums of products that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.monitoring import Column, Schema
from modelyard.monitoring.folding import fold, merge, new_tile
from modelyard.monitoring.packing import pack, unpack
from modelyard.monitoring.rows import Rows
from modelyard.monitoring.together import MOST, correlations, frame_of, scaled

EDGES = tuple(np.linspace(-2, 2, 31).tolist())


def schema(columns):
    return Schema(
        columns=tuple(
            Column(name=f"x{i}", kind="number", edges=EDGES, low=-3, high=3) for i in range(columns)
        )
    )


def folded(of, *parts):
    tile = new_tile(of)
    for part in parts:
        fold(tile, Rows(of, len(part), part))
    return tile


def test_correlations_are_numpys():
    random = np.random.default_rng(2)
    rows = random.normal(size=(5_000, 6)) @ random.normal(size=(6, 6)) * 0.3
    found = correlations(folded(schema(6), rows).together)
    assert np.allclose(found, np.corrcoef(rows.T), atol=0.01)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.integers(2, 5))
def test_merging_is_a_single_pass(sizes, columns):
    random = np.random.default_rng(sum(sizes))
    parts = [random.normal(size=(size, columns)) for size in sizes]
    of = schema(columns)
    whole = folded(of, np.concatenate(parts)).together
    merged = new_tile(of)
    for part in parts:
        merge(merged, folded(of, part))
    assert merged.together.rows == whole.rows == sum(sizes)
    assert np.allclose(merged.together.total, whole.total, rtol=1e-12, atol=1e-12)
    assert np.allclose(merged.together.products, whole.products, rtol=1e-12, atol=1e-12)


def test_they_are_packed_and_unpacked():
    of = schema(3)
    tile = folded(of, np.random.default_rng(4).normal(size=(100, 3)))
    again = unpack(pack(tile), of).together
    assert again.rows == 100
    assert again.total.tolist() == tile.together.total.tolist()
    assert again.products.tolist() == tile.together.products.tolist()


def test_values_that_are_missing_or_far_away_do_not_decide():
    of = schema(2)
    rows = np.array([[np.nan, 1.0], [np.inf, 1e300], [-np.inf, 0.0]])
    kept = scaled(frame_of(of.columns), rows)
    assert np.abs(kept).max() <= 4
    assert kept[0, 0] == 0
    assert np.isfinite(folded(of, rows).together.products).all()


def test_a_column_that_is_always_the_same_goes_with_none():
    rows = np.column_stack([np.arange(50.0), np.full(50, 7.0)])
    assert correlations(folded(schema(2), rows).together).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("columns", [0, 1])
def test_one_column_is_not_together(columns):
    assert new_tile(schema(columns)).together is None


def test_of_many_columns_the_first_are_looked_at():
    tile = folded(schema(50), np.zeros((3, 50)))
    assert len(tile.together.total) == MOST
    assert len(pack(tile)) < 100_000
