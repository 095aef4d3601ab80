"""Metrics: equal to scikit-learn's, the same in any order, with intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.metrics import (
    Classified,
    Regressed,
    Resampler,
    direction,
    neighbour_facts,
    ranking_facts,
)
from modelyard.core.metrics.interface import block_sums, measures_of

QUICK = Resampler(0, 50)


def classified(rows, classes, seed=0, *, ties=False):
    """Rows of some skill; with ties, probabilities take few values."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    given_ = rng.random((rows, classes)) + 0.7 * np.eye(classes)[truth] * rng.random((rows, 1))
    if ties:
        given_ = np.ceil(given_ * 4)
    given_ /= given_.sum(axis=1, keepdims=True)
    names = tuple(f"c{i}" for i in range(classes))
    return Classified.of(names, truth, given_.argmax(axis=1), given_), given_


def values(facts, resampler=QUICK):
    return {m.name: m.value for m in measures_of(facts, resampler)}


@pytest.mark.parametrize("ties", [False, True], ids=["smooth", "ties"])
@pytest.mark.parametrize(("rows", "classes"), [(300, 2), (300, 5), (3000, 2), (3000, 4)])
def test_classification_equals_scikit_learn(rows, classes, ties):
    from sklearn import metrics as their

    facts, given_ = classified(rows, classes, ties=ties)
    truth, label = facts.truth, facts.label
    binary = classes == 2
    expected = {
        "accuracy": their.accuracy_score(truth, label),
        "balanced_accuracy": their.balanced_accuracy_score(truth, label),
        "precision": their.precision_score(truth, label, average="macro"),
        "recall": their.recall_score(truth, label, average="macro"),
        "f1": their.f1_score(truth, label, average="macro"),
        "log_loss": their.log_loss(truth, given_),
        "roc_auc": their.roc_auc_score(truth, given_[:, 1] if binary else given_,
                                       multi_class="ovr"),
        "brier": np.mean(np.square(given_ - np.eye(classes)[truth]).sum(1)) / (2 if binary else 1),
    }  # fmt: skip
    if binary:
        expected["f1.c1"] = their.f1_score(truth, label)
        expected["brier"] = their.brier_score_loss(truth, given_[:, 1])
    found = values(facts)
    assert set(found) - {"ece"} == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("rows", [200, 5000])
def test_regression_equals_scikit_learn(rows):
    from sklearn import metrics as their

    rng = np.random.default_rng(1)
    truth = rng.normal(50, 3, rows)
    said = truth + rng.standard_t(3, rows)
    found = values(Regressed.of(truth, said))
    expected = {
        "rmse": their.root_mean_squared_error(truth, said),
        "mae": their.mean_absolute_error(truth, said),
        "mean_error": np.mean(said - truth),
        "r2": their.r2_score(truth, said),
        "mape": their.mean_absolute_percentage_error(truth, said),
        "p95_error": np.quantile(np.abs(said - truth), 0.95),
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12), name


def test_a_zero_in_the_truth_leaves_out_mape_and_a_constant_leaves_out_r2():
    assert "mape" not in values(Regressed.of(np.array([0.0, 1, 2]), np.array([1.0, 1, 1])))
    assert "r2" not in values(Regressed.of(np.ones(5), np.arange(5.0)))


@pytest.mark.parametrize("ties", [False, True], ids=["smooth", "ties"])
def test_ranking_equals_scikit_learn(ties):
    from sklearn import metrics as their

    rng = np.random.default_rng(2)
    sizes = rng.integers(2, 30, 60)
    queries = np.repeat(np.arange(60), sizes)
    relevance = rng.integers(0, 3, len(queries)).astype(float)
    scores = rng.normal(size=len(queries)) + relevance * 0.3
    if ties:
        scores = np.round(scores)
    facts = ranking_facts(queries, relevance, scores)
    for code in range(60):
        rows = queries == code
        if relevance[rows].any():
            ndcg = their.ndcg_score(relevance[rows][None], scores[rows][None], k=10)
            precision = their.average_precision_score(relevance[rows] > 0, scores[rows])
            assert facts.columns["ndcg@10"][code] == pytest.approx(ndcg, abs=1e-12)
            assert facts.columns["map"][code] == pytest.approx(precision, abs=1e-12)
        else:
            assert np.isnan(facts.columns["ndcg@10"][code])


def test_the_reciprocal_rank_lets_equals_come_in_the_worst_order():
    facts = ranking_facts(np.array([0, 0, 0, 1, 1]), np.array([0.0, 1, 0, 1, 0]),
                          np.array([1.0, 1, 0, 5, 4]))  # fmt: skip
    assert facts.columns["mrr"].tolist() == [0.5, 1.0]


def test_neighbours_are_those_of_a_plain_search():
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 6, 200)
    vectors = rng.normal(size=(200, 8)) + 0.8 * rng.normal(size=(6, 8))[classes]
    classes[0] = 6  # alone
    facts = neighbour_facts(classes, vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    close = unit @ unit.T
    np.fill_diagonal(close, -np.inf)
    for row in range(1, 200):
        order = np.argsort(-close[row])
        place = np.flatnonzero(classes[order] == classes[row])[0] + 1
        assert facts.columns["mrr"][row] == pytest.approx(1 / place)
        mates = (classes == classes[row]) & (np.arange(200) != row)
        gap = close[row][mates].mean() - close[row][classes != classes[row]].mean()
        assert facts.columns["separation"][row] == pytest.approx(gap, abs=1e-5)
    assert np.isnan(facts.columns["recall@1"][0])


def test_calibration_and_confusion_count_every_row():
    facts, _ = classified(2000, 3)
    assert sum(b.rows for b in facts.calibration()) == 2000
    assert sum(map(sum, facts.confusion().matrix)) == 2000
    ece = sum(abs(b.confidence - b.accuracy) * b.rows for b in facts.calibration()) / 2000
    assert values(facts)["ece"] == pytest.approx(ece, abs=1e-12)


@settings(max_examples=25)
@given(st.integers(2, 1500), st.integers(2, 4), st.integers(0, 2**20))
def test_the_order_of_rows_changes_no_value_and_intervals_contain_it(rows, classes, seed):
    facts, _ = classified(rows, classes, seed)
    shuffled = facts.take(np.random.default_rng(seed).permutation(rows))
    assert values(facts) == pytest.approx(values(shuffled), abs=1e-12)
    for measure in measures_of(facts, QUICK):
        if measure.low is not None:
            assert measure.low <= measure.value <= measure.high


@given(st.integers(1, 3000), st.integers(1, 4), st.integers(0, 2**20))
@settings(max_examples=25)
def test_sums_of_blocks_add_up_to_those_of_one_pass(rows, columns, seed):
    rng = np.random.default_rng(seed)
    facts = rng.normal(size=(rows, columns))
    draws = QUICK.of(rows)
    assert block_sums(facts, draws).sum(axis=0) == pytest.approx(facts.sum(axis=0), abs=1e-9)
    sizes = np.bincount(draws.blocks)
    assert len(sizes) == draws.count
    assert sizes.max() - sizes.min() <= 1
    assert (draws.weights.sum(axis=1) == draws.count).all()


@pytest.mark.slow
@pytest.mark.parametrize("rows", [400, 2000])
def test_intervals_hold_the_truth_95_times_in_100(rows):
    """The rate at which a coin falls, the spread of a normal: 200 times each."""
    inside = {"accuracy": 0, "rmse": 0, "roc_auc": 0}
    resampler = Resampler(1, 300)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, rows)
        label = np.where(rng.random(rows) < 0.8, truth, 1 - truth)
        score = truth + rng.normal(size=rows)
        facts = Classified.ranked(("a", "b"), truth, label, np.column_stack([-score, score]))
        found = {m.name: m for m in measures_of(facts, resampler)}
        errors = Regressed.of(np.zeros(rows), rng.normal(size=rows))
        found |= {m.name: m for m in measures_of(errors, resampler)}
        for name, true in (("accuracy", 0.8), ("rmse", 1.0), ("roc_auc", 0.7602499)):
            inside[name] += found[name].low <= true <= found[name].high
    for name, count in inside.items():
        assert 180 <= count <= 198, name


def test_the_binned_resamples_of_the_area_are_those_of_all_rows():
    facts, _ = classified(4000, 2)
    draws = Resampler(0, 20).of(4000)
    binned = facts.samples(draws, "roc_auc")["roc_auc"].resampled
    for weights, found in zip(draws.weights, binned, strict=True):
        rows = np.repeat(np.arange(4000), weights[draws.blocks].astype(int))
        exact = facts.take(rows).samples(Resampler(0, 2).of(len(rows)), "roc_auc")["roc_auc"].value
        assert found == pytest.approx(exact, abs=2e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_outcomes_tell_the_same_as_the_rows(classes):
    facts, _ = classified(700, classes)
    again = values(Classified.from_outcomes(facts.classes, facts.outcomes()))
    known = values(facts)
    assert {"accuracy", "f1", "log_loss", "brier"} <= set(again)
    for name, value in again.items():
        assert value == pytest.approx(known[name], abs=1e-5), name


@pytest.mark.parametrize(
    ("name", "way"),
    [("accuracy", "higher"), ("val_loss", "lower"), ("f1.cat", "higher"), ("ndcg@10", "higher"),
     ("test_rmse", "lower"), ("mean_error", None), ("happiness", None), ("top5_accuracy", "higher"),
     ("latency_p50", "lower"), ("Accuracy", "higher")],
)  # fmt: skip
def test_the_way_that_is_better_is_known_by_name(name, way):
    assert direction(name) == way
