"""What is realized is what scikit-learn computes of the rows, with intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from tests.unit.monitoring.quality.folded import FOUR, NUMBER, TWO, classes, numbers, scored

from modelyard.monitoring.quality import realized


def found(schema, tile, reference=None):
    return {(m.name, m.label): m for m in realized(schema, tile, reference)}


def test_measures_of_two_classes_are_those_of_scikit_learn():
    scores, truth = scored(1, 3000)
    labels = scores.argmax(axis=1)
    told = found(TWO, classes(TWO, truth, labels, scores))
    assert told["accuracy", None].value == pytest.approx(metrics.accuracy_score(truth, labels))
    assert told["precision", "yes"].value == pytest.approx(metrics.precision_score(truth, labels))
    assert told["recall", "yes"].value == pytest.approx(metrics.recall_score(truth, labels))
    assert told["f1", "yes"].value == pytest.approx(metrics.f1_score(truth, labels))
    tn, fp, fn, tp = metrics.confusion_matrix(truth, labels).ravel()
    assert told["miss_rate", "yes"].value == pytest.approx(fn / (fn + tp))
    assert told["false_alarm_rate", "yes"].value == pytest.approx(fp / (fp + tn))
    assert told["bias", "yes"].value == pytest.approx(labels.mean() - truth.mean())
    area = metrics.roc_auc_score(truth, scores[:, 1])
    assert told["auc", "yes"].value == pytest.approx(area, abs=1e-3)
    assert all(m.low <= m.value <= m.high and m.valid for m in told.values() if m.name != "bias")


def test_measures_of_many_classes_are_means_over_classes():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 4, 2000)
    labels = np.where(rng.random(2000) < 0.7, truth, rng.integers(0, 4, 2000))
    told = found(FOUR, classes(FOUR, truth, labels))
    for name, score in [
        ("precision", metrics.precision_score), ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
    ]:  # fmt: skip
        assert told[name, None].value == pytest.approx(score(truth, labels, average="macro"))
        each = score(truth, labels, average=None)
        assert [told[name, c].value for c in FOUR.classes] == pytest.approx(each.tolist())


def test_measures_of_numbers_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    truth = rng.normal(10, 3, 2000)
    values = truth + rng.standard_t(5, 2000) + 0.25
    told = found(NUMBER, numbers(truth, values))
    assert told["bias", None].value == pytest.approx((values - truth).mean())
    assert told["mae", None].value == pytest.approx(metrics.mean_absolute_error(truth, values))
    assert told["rmse", None].value == pytest.approx(metrics.root_mean_squared_error(truth, values))
    assert told["r2", None].value == pytest.approx(metrics.r2_score(truth, values))
    assert all(m.low <= m.value <= m.high for m in told.values())


def test_intervals_hold_the_true_value_19_times_of_20():
    many = 400_000
    scores, truth = scored(4, many)
    labels = scores.argmax(axis=1)
    whole = found(TWO, classes(TWO, truth, labels, scores))
    hits = {key: 0 for key in whole if key[0] != "calibration_error"}
    rng = np.random.default_rng(5)
    for _ in range(400):
        some = rng.integers(0, many, 300)
        told = found(TWO, classes(TWO, truth[some], labels[some], scores[some]))
        for key in hits:
            hits[key] += told[key].low <= whole[key].value <= told[key].high
    rates = {key[0]: count / 400 for key, count in hits.items()}
    assert all(0.92 <= rate <= 0.99 for rate in rates.values()), rates


def test_intervals_of_numbers_hold_the_true_value_19_times_of_20():
    rng = np.random.default_rng(6)
    truth = rng.normal(0, 2, 400_000)
    values = truth * 0.9 + rng.standard_t(6, 400_000)
    whole = found(NUMBER, numbers(truth, values))
    hits = dict.fromkeys(whole, 0)
    for _ in range(400):
        some = rng.integers(0, len(truth), 500)
        told = found(NUMBER, numbers(truth[some], values[some]))
        for key in hits:
            hits[key] += told[key].low <= whole[key].value <= told[key].high
    rates = {key[0]: count / 400 for key, count in hits.items()}
    assert all(0.90 <= rate <= 0.99 for rate in rates.values()), rates


def test_a_calibrated_version_may_have_no_calibration_error_and_a_bold_one_does():
    scores, truth = scored(7, 5000)
    told = found(TWO, classes(TWO, truth, scores.argmax(axis=1), scores))
    assert told["calibration_error", None].low == 0
    bold = np.clip((scores - 0.5) * 2 + 0.5, 0, 1)
    told = found(TWO, classes(TWO, truth, bold.argmax(axis=1), bold))
    assert told["calibration_error", None].low > 0.05


def test_few_rows_are_told_but_not_believed():
    scores, truth = scored(8, 12)
    told = realized(TWO, classes(TWO, truth, scores.argmax(axis=1), scores))
    assert told
    assert not any(m.valid for m in told)
    assert told[0].reason == "only 12 rows"


def test_without_truth_nothing_is_told():
    empty = np.zeros(0, np.int64)
    assert realized(TWO, classes(TWO, empty, empty)) == ()


def test_the_same_of_the_reference_stands_beside_it():
    scores, truth = scored(9, 500)
    reference = classes(TWO, truth, truth)
    told = found(TWO, classes(TWO, truth, scores.argmax(axis=1), scores), reference)
    assert told["accuracy", None].reference == 1.0


def test_a_version_without_a_mistake_has_intervals_that_end_there():
    _, truth = scored(10, 200)
    told = found(TWO, classes(TWO, truth, truth))
    assert told["accuracy", None].high == 1.0
    assert told["accuracy", None].low == pytest.approx(0.98, abs=0.01)
    assert told["miss_rate", "yes"].low == 0.0
