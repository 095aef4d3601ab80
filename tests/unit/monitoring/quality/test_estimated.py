"""What is estimated without truth is what the truth says later, and says when it can't know."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.profiles import pack_profile, profile_from_rows, unpack_profile
from modelyard.monitoring.quality import estimated, realized
from modelyard.monitoring.rows import Rows

CLASSES = ("no", "yes")


def world(rng, rows, center=0.0):
    """Inputs, overconfident scores of a model, and what is true."""
    x = rng.normal(center, 1.5, rows)
    truth = (rng.random(rows) < 1 / (1 + np.exp(-x))).astype(int)
    second = 1 / (1 + np.exp(-2.5 * x))
    return x, np.column_stack([1 - second, second]), truth


def reference(rows=20_000, truth_known=True):
    x, scores, truth = world(np.random.default_rng(1), rows)
    return profile_from_rows(
        {"x": x}, {"probability": scores}, truth if truth_known else None,
        task="classification", classes=(0, 1),
    )  # fmt: skip


def window(profile, x, scores, truth=None):
    tile = new_tile(profile.schema)
    rows = Rows(
        profile.schema, len(x), x[:, None], labels=scores.argmax(axis=1).astype(np.int32),
        scores=scores, truth=truth,
    )  # fmt: skip
    fold(tile, rows, profile.calibration)
    return tile


def by_name(told):
    return {each.name: each for each in told}


def test_estimates_follow_the_truth_where_inputs_moved():
    profile = reference()
    x, scores, truth = world(np.random.default_rng(2), 50_000, center=-0.5)
    told = by_name(estimated(profile, window(profile, x, scores)))
    real = by_name(realized(profile.schema, window(profile, x, scores, truth).truth))
    for name in ("accuracy", "precision", "recall", "f1", "miss_rate", "false_alarm_rate", "auc"):
        assert told[name].value == pytest.approx(real[name].value, abs=0.015), name
        assert told[name].low <= told[name].value <= told[name].high
        assert told[name].estimated
        assert told[name].valid, told[name].reason
    assert told["accuracy"].reference == pytest.approx(
        by_name(realized(profile.schema, profile.tile.truth))["accuracy"].value
    )


def test_intervals_hold_what_is_realized_19_times_of_20():
    names = ("accuracy", "precision", "recall", "f1", "false_alarm_rate", "auc")
    hits = dict.fromkeys(names, 0)
    profile = reference()
    rng = np.random.default_rng(3)
    for _ in range(300):
        x, scores, truth = world(rng, 1000, center=rng.normal(0, 0.3))
        tile = window(profile, x, scores, truth)
        told, real = (
            by_name(estimated(profile, tile)),
            by_name(realized(profile.schema, tile.truth)),
        )
        for name in names:
            hits[name] += told[name].low <= real[name].value <= told[name].high
    rates = {name: count / 300 for name, count in hits.items()}
    assert all(rate >= 0.9 for rate in rates.values()), rates


def test_without_truth_in_the_reference_nothing_is_believed():
    profile = reference(truth_known=False)
    x, scores, _ = world(np.random.default_rng(4), 2000)
    told = estimated(profile, window(profile, x, scores))
    assert told
    assert not any(each.valid for each in told)
    assert "calibrate" in told[0].reason


def test_few_rows_are_not_believed():
    profile = reference()
    x, scores, _ = world(np.random.default_rng(5), 40)
    told = estimated(profile, window(profile, x, scores))
    assert told[0].reason == "only 40 rows"


def test_inputs_that_the_reference_never_had_are_not_believed():
    profile = reference()
    x, scores, _ = world(np.random.default_rng(6), 2000, center=9.0)
    told = estimated(profile, window(profile, x, scores))
    assert not told[0].valid
    assert "x are out of the reference's range" in told[0].reason


def test_truth_that_says_otherwise_is_believed_instead():
    profile = reference()
    x, scores, truth = world(np.random.default_rng(7), 2000)
    flipped = np.where(np.random.default_rng(8).random(2000) < 0.3, 1 - truth, truth)
    told = estimated(profile, window(profile, x, scores, flipped))
    assert not told[0].valid
    assert "means something else" in told[0].reason or "mean something else" in told[0].reason
    assert estimated(profile, window(profile, x, scores, truth))[0].valid


def test_of_many_classes_means_are_estimated():
    rng = np.random.default_rng(9)

    def three(rows):
        logits = rng.normal(0, 1.5, (rows, 3))
        scores = np.exp(logits)
        scores /= scores.sum(axis=1, keepdims=True)
        drawn = (scores.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
        return logits, scores, drawn

    logits, scores, truth = three(20_000)
    profile = profile_from_rows(
        {"x": logits}, {"probability": scores}, truth, task="classification", classes=(0, 1, 2)
    )
    logits, scores, truth = three(20_000)
    tile = new_tile(profile.schema)
    rows = Rows(
        profile.schema, len(truth), logits, labels=scores.argmax(axis=1).astype(np.int32),
        scores=scores, truth=truth,
    )  # fmt: skip
    fold(tile, rows, profile.calibration)
    told, real = (
        by_name(estimated(profile, tile)),
        {each.name: each for each in realized(profile.schema, tile.truth) if each.label is None},
    )
    for name in ("accuracy", "precision", "recall", "f1"):
        assert told[name].value == pytest.approx(real[name].value, abs=0.02)
    assert "auc" not in told


def test_predictions_that_are_none_of_the_classes_tell_nothing():
    profile = reference()
    x, scores, _ = world(np.random.default_rng(6), 200)
    tile = new_tile(profile.schema)
    rows = Rows(
        profile.schema, 200, x[:, None], labels=np.full(200, -1, np.int32), scores=scores
    )  # fmt: skip
    fold(tile, rows, profile.calibration)
    (told,) = estimated(profile, tile)
    assert told.value is None
    assert not told.valid
    assert "classes" in told.reason


def test_a_version_without_probabilities_can_not_be_estimated():
    profile = reference()
    tile = new_tile(profile.schema)
    fold(tile, Rows(profile.schema, 3, np.zeros((3, 1)), labels=np.zeros(3, np.int32)))
    (told,) = estimated(profile, tile)
    assert (told.value, told.valid) == (None, False)


def test_estimates_follow_inputs_that_scores_say_nothing_of():
    """A model that knows one column is right more often where the other one is high."""
    rng = np.random.default_rng(11)

    def world(rows, center):
        known, hidden = rng.normal(0, 1.5, rows), rng.normal(center, 1, rows)
        clear = np.where(hidden > 0, 2.5, 0.5)
        truth = (rng.random(rows) < 1 / (1 + np.exp(-clear * known))).astype(int)
        second = 1 / (1 + np.exp(-known))
        return np.column_stack([known, hidden]), np.column_stack([1 - second, second]), truth

    x, scores, truth = world(20_000, 0.0)
    profile = profile_from_rows(
        {"x": x}, {"probability": scores}, truth, task="classification", classes=(0, 1)
    )
    x, scores, truth = world(20_000, 0.7)
    tile = new_tile(profile.schema)
    labels = scores.argmax(axis=1).astype(np.int32)
    fold(tile, Rows(profile.schema, len(x), x, labels=labels, scores=scores), profile.calibration)
    told = by_name(estimated(profile, tile))["accuracy"].value
    real = (labels == truth).mean()
    plain = np.trace(tile.predicted.expected) / tile.predicted.expected.sum()
    assert abs(plain - real) > 0.03
    assert told == pytest.approx(real, abs=0.015)
    assert unpack_profile(pack_profile(profile)).residuals == pytest.approx(profile.residuals)
