"""Vectors, and all numbers together: what no column shows by itself."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.monitoring.drift.made import Made

from modelyard.core.monitoring import Column
from modelyard.monitoring.drift import LIMITS, drift_of
from modelyard.monitoring.drift.classifier import classifier
from modelyard.monitoring.drift.vectors import Spread, powers_of, vector_subject
from modelyard.monitoring.vectors import features_of, fold_vectors, new_vector

WAYS = np.random.default_rng(1).normal(size=(6, 300))


def embeddings(random, rows, *, moved=0.0, wider=1.0):
    """Of 300 elements that go together, as embeddings do."""
    inner = random.normal(size=(rows, 6)) * wider
    inner[:, 0] += moved
    found = inner @ WAYS + random.normal(size=(rows, 300))
    return {"text": found.astype(np.float32)}, {"value": random.normal(size=rows)}


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(21)


@pytest.fixture(scope="module")
def made(random):
    return Made(*embeddings(random, 3_000))


def of_vector(made, asked, gave):
    (found,) = (d for d in drift_of(made.profile, made.window(asked, gave)) if d.column == "text")
    return found


def test_vectors_that_did_not_change_do_not_drift(made, random):
    for _ in range(20):
        found = of_vector(made, *embeddings(random, 500))
        assert not found.suspected
    assert [score.test for score in found.scores] == ["centroid", "mmd"]
    assert found.kind == "vector"


def test_p_values_of_vectors_are_evenly_spread_if_nothing_changed(random):
    """Over references and windows: about 5 % of them are below 0.05."""
    column = Column(name="text", kind="vector", size=300, edges=(40.0,))
    below = np.zeros(2)
    for _ in range(40):
        one, other = (embeddings(random, rows)[0]["text"] for rows in (200, 300))
        window, reference = new_vector(column), new_vector(column)
        fold_vectors(window, column, one)
        fold_vectors(reference, column, other)
        spread = Spread(powers_of(other), powers_of(features_of(column, other)))
        found = vector_subject(column, window, reference, spread, LIMITS)
        below += [test.p < 0.05 for test in found.tests]
    assert (below <= 7).all(), below


@pytest.mark.parametrize(
    ("change", "test"), [({"moved": 0.7}, "centroid"), ({"wider": 1.6}, "mmd")]
)
def test_other_vectors_are_found(made, random, change, test):
    found = of_vector(made, *embeddings(random, 1_000, **change))
    assert found.suspected
    (score,) = (score for score in found.scores if score.test == test)
    assert score.value >= score.threshold
    assert score.p < 1e-6


def test_few_vectors_say_nothing(made, random):
    found = of_vector(made, *embeddings(random, 20))
    assert found.reason == "20 rows in the window: 100 are needed"
    assert not found.scores


def test_vectors_with_nothing_in_them_are_counted(made, random):
    asked, gave = embeddings(random, 400)
    asked["text"][:9] = np.nan
    assert of_vector(made, asked, gave).violations == {"null": 9}


def test_powers_are_those_of_the_eigenvalues(random):
    rows = random.normal(size=(40, 7)) * np.arange(1, 8)
    values = np.linalg.eigvalsh(np.cov(rows.T))
    expected = values.sum(), (values**2).sum(), (values**3).sum()
    assert powers_of(rows) == pytest.approx(expected)


# -- all numbers together --------------------------------------------------------------------------


def pairs(random, rows, together):
    first, other = random.normal(size=(2, rows))
    return np.column_stack([first, together * first + np.sqrt(1 - together**2) * other])


def tables(random, rows, together, columns=2):
    numbers = random.normal(size=(rows, columns))
    numbers[:, :2] = pairs(random, rows, together)
    return {"x": numbers}, {"value": random.normal(size=rows)}


def found_together(made, asked, gave, **options):
    *others, last = drift_of(made.profile, made.window(asked, gave), **options)
    assert not [drift for drift in others if drift.suspected]
    assert last.column == "together"
    return last


@pytest.mark.parametrize("columns", [2, 12, 40])
def test_columns_that_no_longer_go_together_are_found(random, columns):
    made = Made(*tables(random, 3_000, 0.7, columns))
    found = found_together(made, *tables(random, 2_000, 0.0, columns))
    assert found.suspected
    assert [score.test for score in found.scores] == ["correlation"]
    assert found.scores[0].value > 0.6
    assert not found_together(made, *tables(random, 2_000, 0.7, columns)).suspected


def test_few_rows_say_nothing_of_how_columns_go_together(random):
    made = Made(*tables(random, 3_000, 0.7))
    assert drift_of(made.profile, made.window(*tables(random, 400, 0.0)))[-1].column != "together"


def test_p_values_of_correlations_are_not_too_small(random):
    """Of long tails too."""
    reference, gave = tables(random, 3_000, 0.7, 6)
    made = Made({"x": np.exp(reference["x"])}, gave)
    chances = []
    for _ in range(60):
        asked, gave = tables(random, 600, 0.7, 6)
        last = drift_of(made.profile, made.window({"x": np.exp(asked["x"])}, gave))[-1]
        chances.append(last.scores[0].p)
    assert np.mean(np.array(chances) < 0.05) <= 0.15


def test_a_sample_of_rows_is_told_from_the_reference_if_it_changed(random):
    made = Made(*tables(random, 3_000, 0.7))
    asked, gave = tables(random, 2_000, 0.0)
    found = found_together(made, asked, gave, sample=asked["x"])
    assert [score.test for score in found.scores] == ["correlation", "classifier"]
    assert found.scores[1].value > 0.6
    asked, gave = tables(random, 2_000, 0.7)
    assert found_together(made, asked, gave, sample=asked["x"]).score < 0.7


def test_p_values_of_the_classifier_are_not_too_small(random):
    chances = [
        classifier(random.normal(size=(150, 3)), random.normal(size=(200, 3)), seed=i).p
        for i in range(200)
    ]
    assert np.mean(np.array(chances) < 0.05) <= 0.05


def test_the_classifier_is_the_same_each_time(random):
    one, other = random.normal(size=(500, 3)), random.normal(size=(500, 3))
    assert classifier(one, other).value == classifier(one, other).value


def test_the_classifier_takes_missing_and_constant_columns(random):
    one, other = np.zeros((200, 2)), np.zeros((300, 2))
    assert classifier(one, other).value == 0.5
    one[:, 1] = np.nan
    assert classifier(one, other).value == 0.5
    assert classifier(one[:50], other) is None
    assert classifier(one[:, :0], other[:, :0]) is None
