"""What models give, by one rule: classes, scores, numbers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from modelyard.monitoring.calibration import IDENTITY, fit_calibration
from modelyard.monitoring.outputs import Scoring, guessed_task, predicted, scoring_of

SURE = np.array([[0.9, 0.1], [0.2, 0.8]])
LOGITS = np.log(SURE) + 3.0
ANIMALS = ("cat", "dog")


@pytest.mark.parametrize(
    "outputs",
    [
        {"label": np.array(["cat", "dog"], object), "probability": SURE},
        {"label": np.array([b"cat", b"dog"]), "probability": SURE},
        {"output_label": np.array(["cat", "dog"]), "output_probability": SURE},
        {"probability": SURE},
        {"logits": LOGITS},
        {"anything": LOGITS.astype(np.float32)},
        {"probability": SURE[:, 1]},
        {"dense_2": SURE[:, 1:]},
        {"probability": LOGITS[:, 1] - LOGITS[:, 0] + np.array([0.0, 1e-9])},
        {"label": np.array([["cat"], ["dog"]], object), "scores": SURE.astype(np.float32)},
    ],
    ids=["sklearn", "bytes", "onnx", "probability", "logits", "a-name", "one", "sigmoid",
         "a-logit", "columns"],
)  # fmt: skip
def test_every_way_to_say_two_classes_is_understood(outputs):
    labels, scores, values = predicted(outputs, "classification", ANIMALS)
    assert labels.tolist() == [0, 1]
    assert labels.dtype == np.int32
    assert scores == pytest.approx(SURE, abs=1e-6)
    assert values is None


@pytest.mark.parametrize(
    ("said", "classes"),
    [
        (np.array([0, 2, 7]), ("0", "1", "2")),
        (np.array([0.0, 2.0, 7.0]), ("0", "1", "2")),
        (np.array([3, 9, 4]), ("3", "5", "9")),
        (np.array(["a", "c", "x"], object), ("a", "b", "c")),
        (np.array(["a", "c", "x"]), ("a", "b", "c")),
    ],
)
def test_labels_are_places_among_the_classes(said, classes):
    labels, scores, _ = predicted({"label": said}, "classification", classes)
    assert labels.tolist() == [0, 2, -1]
    assert scores is None


def test_truth_values_are_classes_too():
    labels, _, _ = predicted({"label": np.array([True, False])}, "classification",
                             ("False", "True"))  # fmt: skip
    assert labels.tolist() == [1, 0]


def test_scores_that_are_no_numbers_predict_no_class():
    labels, scores, _ = predicted({"probability": np.array([[np.nan, np.nan], [0.3, 0.7]])},
                                  "classification", ANIMALS)  # fmt: skip
    assert labels.tolist() == [-1, 1]
    assert np.isnan(scores[0]).all()


@pytest.mark.parametrize(
    "outputs",
    [{"prediction": np.array([1.5, 2.5])}, {"variable": np.array([[1.5], [2.5]])},
     {"y": np.array([1.5, 2.5], np.float32)}],
)  # fmt: skip
def test_numbers_are_values(outputs):
    labels, scores, values = predicted(outputs, "regression")
    assert (labels, scores) == (None, None)
    assert values.tolist() == [1.5, 2.5]
    assert guessed_task(outputs) == "regression"


def test_an_embedding_is_watched_by_its_length():
    _, _, values = predicted({"embedding": np.array([[3.0, 4.0], [0.0, 1.0]])}, "other")
    assert values.tolist() == [5.0, 1.0]


def test_text_is_nothing_to_be_watched():
    assert predicted({"text": np.array(["a"], object)}, "other") == (None, None, None)


@pytest.mark.parametrize(
    ("outputs", "task"),
    [({"label": np.zeros(1)}, "classification"), ({"logits": SURE}, "classification"),
     ({"prediction": np.zeros(1)}, "regression"), ({"embedding": SURE}, "other"),
     ({"text": np.array(["a"], object)}, "other")],
)  # fmt: skip
def test_the_task_can_be_guessed(outputs, task):
    assert guessed_task(outputs) == task


# -- calibration -----------------------------------------------------------------------------------


def test_a_calibration_is_sklearns_isotonic_regression():
    random = np.random.default_rng(0)
    second = np.round(random.uniform(size=900), 3)
    truth = (random.uniform(size=900) < second**2).astype(int)
    found = fit_calibration(np.column_stack([1 - second, second]), truth)
    theirs = IsotonicRegression().fit(second, truth)
    assert np.diff(found.maps[0][1]).min() > 0
    blocks = np.unique(theirs.predict(second))
    assert found.maps[0][1] == pytest.approx(blocks, abs=1e-9)


def test_a_calibration_of_several_classes_sums_to_one_and_is_right_on_average():
    random = np.random.default_rng(1)
    scores = random.dirichlet([1, 2, 3], 20_000)
    real = np.sqrt(scores) / np.sqrt(scores).sum(axis=1, keepdims=True)
    truth = (random.uniform(size=(20_000, 1)) > real.cumsum(axis=1)).sum(axis=1)
    likely = fit_calibration(scores, truth).apply(scores)
    assert likely.sum(axis=1) == pytest.approx(np.ones(20_000))
    assert likely.mean(axis=0) == pytest.approx(np.bincount(truth) / 20_000, abs=0.02)


def test_few_rows_calibrate_nothing():
    found = fit_calibration(np.tile(SURE, (20, 1)), np.array([0, 1] * 20))
    assert found.maps == ()
    assert found.apply(SURE) is SURE
    assert IDENTITY.apply(SURE) is SURE


# -- one rule for a version ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["logits", "scores", "output"])
def test_a_logit_is_read_alike_in_every_batch(name):
    given = np.random.default_rng(0).normal(0, 2, (2_000, 1)).astype(np.float32)
    scoring = scoring_of({name: given}, 2)
    assert scoring == Scoring(name, logits=True)
    whole, _, _ = predicted({name: given}, "classification", ANIMALS, scoring)
    singly = [
        predicted({name: one[None]}, "classification", ANIMALS, scoring)[0][0] for one in given
    ]
    assert whole.tolist() == singly == (given[:, 0] > 0).astype(int).tolist()


def test_what_is_called_logits_is_that_though_nobody_decided():
    for one, place in ((0.3, 1), (-0.3, 0)):
        labels, _, _ = predicted({"logits": np.array([[one]])}, "classification", ANIMALS)
        assert labels.tolist() == [place]
    _, scores, _ = predicted({"logits": SURE}, "classification", ANIMALS)
    assert scores[0, 0] == pytest.approx(1 / (1 + np.exp(-0.8)))


def test_a_chance_that_is_none_does_not_make_logits_of_a_batch():
    scoring = scoring_of({"probability": SURE}, 2)
    wrong = np.array([[0.9, 0.1], [7.0, 0.0]])
    _, scores, _ = predicted({"probability": wrong}, "classification", ANIMALS, scoring)
    assert scores.tolist() == wrong.tolist()
    assert IDENTITY.apply(scores).max() == 1.0
    assert not scoring_of({"probability": np.array([0.2, 1.0 + 1e-7])}, 2).logits


def test_scores_under_another_name_are_read_by_the_same_rule():
    scoring = Scoring("dense_2", logits=True)
    labels, _, _ = predicted({"dense_3": np.array([[0.2]])}, "classification", ANIMALS, scoring)
    assert labels.tolist() == [1]


def test_labels_that_are_the_only_output_are_no_scores():
    assert scoring_of({"y": np.array([0.0, 1.0, 1.0])}, 2) == Scoring()
