"""Wrong labels are found, and left out where that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from modelyard.core.table import Table
from modelyard.optimization.passes.data.confident import confident_joint, doubts
from modelyard.optimization.passes.data.learning import learner_of
from modelyard.optimization.passes.data.relabel import PASS, doubtful

if TYPE_CHECKING:
    from collections.abc import Callable


def _noisy(target: Any, share: float, seed: int = 0) -> tuple[Any, Any]:
    """Labels of which some were changed, and which."""
    chance = np.random.default_rng(seed)
    wrong = chance.random(len(target)) < share
    classes = np.unique(target)
    other = (target + chance.integers(1, len(classes), len(target))) % len(classes)
    return np.where(wrong, other, target), wrong


def _digits(rows: int = 800) -> tuple[Table, Any]:
    bunch = load_digits()
    names = [str(name) for name in bunch.feature_names]
    columns = dict(zip(names, bunch.data[:rows].T, strict=True))
    return Table(columns), bunch.target[:rows]


class TestConfidentLearning:
    def test_the_joint_counts_labels_by_likely_class(self) -> None:
        labels = np.array([0, 0, 0, 1, 1, 1])
        chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
        assert confident_joint(labels, chances).tolist() == [[2, 1], [1, 2]]
        found = doubts(labels, chances)
        assert sorted(found.rows.tolist()) == [2, 5]
        assert found.instead.tolist() == [1, 0]
        assert found.share == pytest.approx(1 / 3)

    def test_sure_and_right_answers_raise_no_doubts(self) -> None:
        labels = np.repeat([0, 1, 2], 10)
        chances = np.full((30, 3), 0.05)
        chances[np.arange(30), labels] = 0.9
        assert not len(doubts(labels, chances).rows)

    def test_planted_errors_are_found_and_few_others(self, bench: Callable[..., Any]) -> None:
        inputs, target = _digits()
        given, wrong = _noisy(target, 0.1)
        obj = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        model, work = bench(obj.fit(inputs.frame(), target), inputs, given)
        order = np.random.default_rng(0).permutation(len(target))  # as the bench divides
        planted = wrong[np.sort(order[len(order) // 5 :])]
        found = doubtful(learner_of(model), work.train, 0)
        assert found is not None
        hits = planted[found.rows]
        assert hits.mean() > 0.7  # precision
        assert hits.sum() / planted.sum() > 0.8  # recall
        assert found.share == pytest.approx(planted.mean(), abs=0.06)


class TestThePass:
    def test_it_helps_where_labels_are_wrong(self, bench: Callable[..., Any]) -> None:
        inputs, target = _digits()
        given, _ = _noisy(target, 0.15)
        obj = make_pipeline(StandardScaler(), LogisticRegression(C=10, max_iter=200))
        model, work = bench(obj.fit(inputs.frame(), given), inputs, given)
        made: Any = PASS.run(model, {"action": "drop"}, work)
        assert made.scores is not None
        assert np.mean(made.scores[1]) > np.mean(made.scores[0])
        assert made.rows is not None
        assert len(made.rows) < len(work.train)

    def test_labels_can_be_corrected_instead(self, bench: Callable[..., Any]) -> None:
        inputs, target = _digits(400)
        given, _ = _noisy(target, 0.1)
        obj = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        model, work = bench(obj.fit(inputs.frame(), given), inputs, given)
        made: Any = PASS.run(model, {"action": "correct"}, work)
        assert made.rows is not None
        assert len(made.rows) == len(work.train)
        assert np.sum(made.rows.target != work.train.target) > 10

    def test_right_labels_are_hardly_touched(self, bench: Callable[..., Any]) -> None:
        bunch = load_wine()
        inputs = Table({str(n): c for n, c in zip(bunch.feature_names, bunch.data.T, strict=True)})
        obj = make_pipeline(StandardScaler(), LogisticRegression())
        model, work = bench(obj.fit(inputs.frame(), bunch.target), inputs, bunch.target)
        made: Any = PASS.run(model, {"action": "drop"}, work)
        if made.model is None:
            assert "no label" in made.why
        else:
            assert len(work.train) - len(made.rows or work.train) <= 5

    def test_a_model_without_probabilities_can_t_judge(self, bench: Callable[..., Any]) -> None:
        inputs, target = _digits(200)
        obj = LinearSVC(random_state=0).fit(inputs.frame(), target)
        model, work = bench(obj, inputs, target)
        assert PASS.run(model, {"action": "drop"}, work).model is None
