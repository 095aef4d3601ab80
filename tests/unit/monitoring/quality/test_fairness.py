"""Gaps between groups are what fairlearn calls them; they fail when they surely are too wide."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.monitoring.quality.folded import TWO

from modelyard.core.monitoring import Column, Schema
from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.quality import Limits, fairness
from modelyard.monitoring.rows import Rows

PRICES = Schema(
    columns=(Column(name="town", kind="category", categories=("x", "y")),), task="regression",
    groups=("town",), values=Column(name="price", kind="number", edges=(0.0, 5.0, 10.0)),
)  # fmt: skip


def tile_of(schema, groups, **parts):
    tile = new_tile(schema)
    rows = Rows(schema, len(groups), np.zeros((len(groups), 0)), (list(groups),), **parts)
    fold(tile, rows)
    return tile


def gaps(schema, tile, limits=None):
    return {gap.metric: gap for gap in fairness(schema, tile, limits)}


def biased(rows, less):
    """Group m is told yes as often as it is true, group f less often."""
    rng = np.random.default_rng(1)
    groups = np.where(rng.random(rows) < 0.5, "f", "m")
    truth = (rng.random(rows) < 0.5).astype(np.int32)
    missed = (groups == "f") & (rng.random(rows) < less)
    labels = np.where(missed, 0, truth).astype(np.int32)
    return groups, truth, labels


def test_gaps_of_two_groups_by_hand():
    groups, truth, labels = biased(4000, 0.5)
    told = gaps(TWO, tile_of(TWO, groups, labels=labels, truth=truth))
    is_f, is_m = groups == "f", groups == "m"
    assert told["selection_rate_ratio"].value == pytest.approx(
        labels[is_f].mean() / labels[is_m].mean()
    )
    recall = [labels[mask & (truth == 1)].mean() for mask in (is_f, is_m)]
    assert told["equal_opportunity_gap"].value == pytest.approx(recall[1] - recall[0])
    assert told["equalized_odds_gap"].value == told["equal_opportunity_gap"].value
    accuracy = [(labels == truth)[mask].mean() for mask in (is_f, is_m)]
    assert told["accuracy_gap"].value == pytest.approx(accuracy[1] - accuracy[0])
    assert all(gap.fails and gap.worst == "f" and gap.best == "m" for gap in told.values())
    assert told["accuracy_gap"].groups["f"][3] == is_f.sum()


def test_a_gap_that_may_be_chance_does_not_fail():
    groups, truth, labels = biased(60, 0.2)
    told = gaps(TWO, tile_of(TWO, groups, labels=labels, truth=truth), Limits(least=10))
    assert not any(gap.fails for gap in told.values())


def test_groups_that_are_treated_alike_seldom_fail():
    failed = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        groups = rng.choice(["f", "m", "else", None], 400)
        labels = (rng.random(400) < 0.3).astype(np.int32)
        tile = tile_of(TWO, groups.tolist(), labels=labels, truth=(rng.random(400) < 0.3) * 1)
        failed += any(gap.fails for gap in fairness(TWO, tile))
    assert failed <= 3


def test_small_groups_are_shown_but_not_compared():
    groups = ["m"] * 500 + ["f"] * 5
    labels = np.array([1] * 250 + [0] * 255, np.int32)
    gap = gaps(TWO, tile_of(TWO, groups, labels=labels))["selection_rate_ratio"]
    assert gap.value is None
    assert not gap.fails
    assert gap.groups["f"][3] == 5


def test_without_truth_gaps_are_estimated_from_probabilities():
    rng = np.random.default_rng(2)
    groups = np.where(rng.random(2000) < 0.5, "f", "m")
    sure = np.where(groups == "m", 0.95, 0.6)
    second = np.where(rng.random(2000) < 0.5, sure, 1 - sure)
    scores = np.column_stack([1 - second, second])
    tile = tile_of(TWO, groups, labels=(second > 0.5).astype(np.int32), scores=scores)
    gap = gaps(TWO, tile)["accuracy_gap"]
    assert gap.estimated
    assert gap.worst == "f"
    assert gap.value == pytest.approx(0.35, abs=0.01)
    assert gap.fails


def test_a_few_truths_do_not_take_the_place_of_estimates():
    rng = np.random.default_rng(2)
    groups = np.where(rng.random(2000) < 0.5, "f", "m")
    sure = np.where(groups == "m", 0.95, 0.6)
    second = np.where(rng.random(2000) < 0.5, sure, 1 - sure)
    labels = (second > 0.5).astype(np.int32)
    parts = {"labels": labels, "scores": np.column_stack([1 - second, second])}

    def told(known):
        truth = np.where(np.arange(2000) < known, labels, -1)
        return gaps(TWO, tile_of(TWO, groups, truth=truth, **parts))["accuracy_gap"]

    assert told(4).estimated
    assert told(4).fails
    assert not told(200).estimated
    assert told(200).value == 0


def test_a_few_truths_are_shown_if_nothing_can_be_estimated():
    groups, truth, labels = biased(20, 0.5)
    gap = gaps(TWO, tile_of(TWO, groups, labels=labels, truth=truth))["accuracy_gap"]
    assert gap.value is None
    assert not gap.estimated
    assert gap.groups["f"][3] == (groups == "f").sum()


def test_numbers_are_compared_by_their_means_and_errors():
    rng = np.random.default_rng(3)
    towns = np.where(rng.random(2000) < 0.5, "x", "y")
    truth = rng.normal(10, 2, 2000)
    values = truth + np.where(towns == "x", 1.0, 0.0) + rng.normal(0, 0.5, 2000)
    told = gaps(PRICES, tile_of(PRICES, towns, values=values, truth=truth))
    assert told["bias_gap"].worst == "x"
    assert told["bias_gap"].value == pytest.approx(0.5, abs=0.05)
    error = [np.abs(values - truth)[towns == town].mean() for town in ("x", "y")]
    assert told["error_ratio"].value == pytest.approx(error[0] / error[1])
    assert told["error_ratio"].fails
