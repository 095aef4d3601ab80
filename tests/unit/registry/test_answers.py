"""What models answer, as facts: by name, by shape, and refused with a word where it can't be."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.core.metrics import Resampler
from modelyard.core.metrics.interface import measures_of
from modelyard.errors import InvalidInput
from modelyard.registry.answers import gatherer, guessed_suite
from modelyard.registry.slicing import slices_of
from modelyard.runtimes import About
from modelyard.testing.yard import refused

TRUTH = np.array([0, 1, 1, 0, 2])
TEXT = np.array(["cat", "dog", "dog", "cat", "emu"], object)
SCORES = np.array([[5.0, 1, 0], [0, 4, 1], [3, 2, 1], [9, 1, 1], [0, 1, 2]])
SURE = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)


def measured(suite, truth, *batches, about=None, queries=None):
    """Measures of outputs that came in batches, and the facts."""
    gathered = gatherer(suite, about or About("any"), truth, queries, 0)
    for outputs in batches:
        gathered.add(outputs)
    facts = gathered.facts()
    return {m.name: m.value for m in measures_of(facts, Resampler(0, 20))}, facts, gathered


@pytest.mark.parametrize(
    ("outputs", "classes"),
    [
        ({"label": np.array([0, 1, 0, 0, 2])}, None),
        ({"label": np.array(["0", "1", "0", "0", "2"], object)}, None),
        ({"label": np.array([0.0, 1, 0, 0, 2])}, None),
        ({"probability": SURE}, np.array([0, 1, 2])),
        ({"label": np.array([0, 1, 0, 0, 2]), "probability": SURE}, np.array([0, 1, 2])),
        ({"anything": SCORES}, None),
        ({"anything": np.array([0, 1, 0, 0, 2])}, None),
        ({"a": np.zeros(5), "logits": SCORES.astype("f4")}, None),
    ],
)
def test_classes_are_found_by_name_or_shape(outputs, classes):
    found, facts, _ = measured("classification", TRUTH, outputs, about=About("x", None, classes))
    assert found["accuracy"] == 0.8
    assert facts.classes == ("0", "1", "2")
    assert ("log_loss" in found) == (classes is not None)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_column_is_the_only_class_or_the_second(shape):
    truth = np.array(["a", "a", "a", "b"], object)
    only = {"probability": np.ones(shape)}
    found, facts, _ = measured("classification", truth, only, about=About("x", None, ["a"]))
    assert facts.classes == ("a", "b")
    assert found["accuracy"] == 0.75
    assert found["brier"] == pytest.approx(0.25)
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps) / 4)
    always, _, _ = measured("classification", truth[:3], {"probability": np.ones(shape)[:3]},
                            about=About("x", None, ["a"]))  # fmt: skip
    assert (always["log_loss"], always["brier"]) == pytest.approx((0, 0))
    chance = np.array([0.1, 0.2, 0.3, 0.6])
    for classes in (None, ["a", "b"]):
        found, _, _ = measured("classification", truth, {"probability": chance.reshape(shape)},
                               about=About("x", None, classes))  # fmt: skip
        assert found["accuracy"] == 1.0
        assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.8, 0.7, 0.6]).mean())
    with refused(InvalidInput, "bad-outputs"):
        measured("classification", truth, only, about=About("x", None, ["a", "b", "c"]))


def test_batches_come_together():
    whole, _, _ = measured("classification", TRUTH, {"probability": SURE})
    parts, _, _ = measured(
        "classification", TRUTH, {"probability": SURE[:2]}, {"probability": SURE[2:]}
    )
    assert parts == whole


def test_scores_that_are_no_probabilities_give_no_log_loss_and_say_so():
    found, _, gathered = measured("classification", TRUTH, {"anything": SCORES})
    assert "log_loss" not in found
    assert "roc_auc" in found
    assert any("no probabilities" in note for note in gathered.notes)


def test_one_column_between_0_and_1_is_the_chance_of_the_second_class():
    found, facts, _ = measured(
        "classification",
        np.array(["n", "y", "y"], object),
        {"out": np.array([[0.1], [0.9], [0.2]])},
    )
    assert facts.classes == ("n", "y")
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["roc_auc"] == 1.0


def test_classes_match_by_value_across_types():
    for truth, label in [
        (np.array([True, False]), np.array([1, 0])),
        (np.array(["True", "False"], object), np.array([True, False])),
        (np.array([1.0, 0.0]), np.array(["1", "0"], object)),
        (np.array(["yes", "no"], object), np.array([1, 0])),
    ]:
        assert measured("classification", truth, {"label": label})[0]["accuracy"] == 1.0


def test_a_class_that_the_model_does_not_know_counts_as_wrong():
    about = About("x", "classification", np.array(["cat", "dog"]))
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [1, 0], [0.5, 0.5]])
    said = np.array(["cat", "dog", "dog", "cat", "dog"], object)
    outputs = {"label": said, "probability": chances}
    found, facts, _ = measured("classification", TEXT, outputs, about=about)
    assert facts.classes == ("cat", "dog", "emu")
    assert found["accuracy"] == 0.8
    assert found["log_loss"] > 5


def test_classes_without_any_in_common_are_refused_with_both_sets():
    with pytest.raises(InvalidInput) as caught:
        measured("classification", TEXT, {"label": np.array([0, 1, 1, 0, 2])})
    assert caught.value.kind == "labels-differ"
    assert "'cat', 'dog', 'emu'" in caught.value.message
    assert "'0', '1', '2'" in caught.value.message


@pytest.mark.parametrize(
    ("suite", "truth", "outputs", "kind"),
    [
        ("regression", TRUTH * 1.0, {"label": TRUTH}, "wrong-suite"),
        ("regression", TRUTH * 1.0, {"a": SCORES}, "wrong-suite"),
        ("regression", TRUTH * 1.0, {"prediction": np.full(5, np.nan)}, "bad-outputs"),
        ("regression", TEXT, {}, "not-numeric"),
        ("regression", np.array([1.0, np.nan]), {}, "missing-target"),
        ("classification", np.array(["a", None], object), {}, "missing-target"),
        ("classification", TRUTH, {"a": TRUTH, "b": TRUTH}, "wrong-suite"),
        ("classification", TRUTH, {"probability": SURE * np.nan}, "bad-outputs"),
        ("classification", np.arange(9000.0), {"label": np.arange(9000)}, "too-many-classes"),
        ("embedding", TRUTH, {"prediction": TRUTH * 1.0}, "wrong-suite"),
        ("ranking", TRUTH, {}, "no-group"),
        ("classification", SCORES, {}, "bad-target"),
        ("classification", TEXT, {"scores": np.ones((5, 9))}, "labels-differ"),
    ],
)
def test_what_can_not_be_measured_is_refused(suite, truth, outputs, kind):
    with pytest.raises(InvalidInput) as caught:
        measured(suite, truth, outputs)
    assert caught.value.kind == kind


def test_numbers_rankings_and_vectors():
    truth = np.arange(5.0)
    assert measured("regression", truth, {"variable": truth[:, None] + 1})[0]["mae"] == 1.0
    queries = np.array([0, 0, 1, 1, 1])
    ranked, facts, _ = measured("ranking", TRUTH, {"prediction": -truth}, queries=queries)
    assert facts.rows == 2
    assert ranked["mrr"] == pytest.approx((1 / 2 + 1) / 2)
    near, _, gathered = measured("embedding", TEXT, {"embedding": np.eye(3)[TRUTH] + 0.1})
    assert near["recall@1"] == 1.0
    assert "4 of 5 rows" in gathered.notes[0]


@pytest.mark.parametrize(
    ("task", "truth", "group", "suite"),
    [
        ("regression", TRUTH, None, "regression"), (None, TRUTH, None, "classification"),
        (None, TEXT, None, "classification"), (None, TRUTH * 1.0, None, "regression"),
        (None, np.arange(100), None, "regression"), ("classification", TRUTH, "q", "ranking"),
    ],
)  # fmt: skip
def test_the_suite_is_guessed_from_model_and_target(task, truth, group, suite):
    guessed, why = guessed_suite(About("x", task), truth, group)
    assert guessed == suite
    assert why


def test_slices_come_worst_first_and_cover_every_row():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    region = np.array(["north", "south", None, "east"], object)[np.arange(400) % 4]
    label = np.where(region == "south", 1 - truth, truth)
    _, facts, _ = measured("classification", truth, {"label": label})
    found = slices_of(facts, "region", region, "classification", 0)
    assert (found[0].value, found[0].rows) == ("south", 100)
    assert {part.value for part in found} == {"north", "south", "east", "(none)"}
    numbers = slices_of(facts, "age", np.arange(400) / 7, "classification", 0)
    assert sum(part.rows for part in numbers) == 400
    assert len(numbers) == 4
    many = slices_of(facts, "id", np.arange(400).astype(str).astype(object), "classification", 0)
    assert sum(part.rows for part in many) == 400
    assert any(part.value == "(all others)" for part in many)
