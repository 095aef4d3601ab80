"""Cleaning: what is missing is filled in the model, copies are not learned twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.core.table import Table
from modelyard.optimization.passes.data.clean import PASS, copies, far_out

if TYPE_CHECKING:
    from collections.abc import Callable

PARAMS = {"missing": "median", "copies": "drop", "outliers": "keep"}


def _cancer() -> tuple[Table, Any]:
    bunch = load_breast_cancer()
    names = [str(name) for name in bunch.feature_names]
    return Table(dict(zip(names, bunch.data.T, strict=True))), bunch.target


def _with_holes(table: Table, share: float = 0.1) -> Table:
    chance = np.random.default_rng(1)
    return Table({
        name: np.where(chance.random(len(column)) < share, np.nan, column)
        for name, column in table.columns.items()
    })  # fmt: skip


class TestFilling:
    def test_a_model_that_can_t_take_missing_values_can_then(
        self, bench: Callable[..., Any]
    ) -> None:
        inputs, target = _cancer()
        obj = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs.frame(), target)
        model, work = bench(obj, _with_holes(inputs), target)
        made: Any = PASS.run(model, PARAMS, work)
        assert made.model is not None
        assert made.scores is not None
        assert np.mean(made.scores[1]) > np.mean(made.scores[0]) + 0.2
        loaded = made.model.load()  # no trust was needed
        found = loaded.predict(work.valid.inputs.frame())
        assert np.mean(found == work.valid.target) > 0.9

    def test_a_model_without_names_stays_one_without_names(self, bench: Callable[..., Any]) -> None:
        inputs, target = _cancer()
        obj = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs.matrix(), target)
        model, work = bench(obj, _with_holes(inputs), target)
        made: Any = PASS.run(model, {**PARAMS, "missing": "neighbours"}, work)
        assert made.model is not None
        assert not hasattr(made.model.load(), "feature_names_in_")

    def test_the_same_bytes_come_out_again(self, bench: Callable[..., Any]) -> None:
        inputs, target = _cancer()
        obj = HistGradientBoostingClassifier(max_iter=5, random_state=0)
        obj.fit(inputs.frame(), target)
        digests = set()
        for _ in range(2):
            model, work = bench(obj, _with_holes(inputs), target)
            made: Any = PASS.run(model, PARAMS, work)
            digests.add(made.model.digest)
        assert len(digests) == 1


class TestCopies:
    def test_of_equal_rows_one_stays(self) -> None:
        table = Table({"a": np.array([1.0, 1.0, 2.0, np.nan, np.nan])})
        assert copies(table, None).tolist() == [False, True, False, False, True]

    def test_of_equal_rows_that_disagree_the_more_frequent_target_stays(self) -> None:
        table = Table({"a": np.array([1, 1, 1, 2])})
        target = np.array(["x", "y", "y", "x"])
        assert copies(table, target).tolist() == [True, False, True, False]

    def test_a_model_learns_without_them(self, bench: Callable[..., Any]) -> None:
        inputs, target = _cancer()
        some = np.random.default_rng(3).integers(0, 100, 300)
        rows = np.concatenate([np.arange(len(target)), some])
        obj = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs.frame(), target)
        model, work = bench(obj, inputs.take(rows), target[rows])
        made: Any = PASS.run(model, PARAMS, work)
        assert made.rows is not None
        assert len(made.rows) < 569
        assert not copies(made.rows.inputs, made.rows.target).any()

    def test_with_nothing_to_do_it_says_so(self, bench: Callable[..., Any]) -> None:
        inputs, target = _cancer()
        obj = LogisticRegression(max_iter=5000).fit(inputs.frame(), target)
        model, work = bench(obj, inputs, target)
        made: Any = PASS.run(model, PARAMS, work)
        assert made.model is None
        assert "no value is missing" in made.why


class TestOutliers:
    def test_a_slip_of_the_decimal_point_is_found(self) -> None:
        values = np.random.default_rng(0).normal(50, 5, 1000)
        values[17] *= 1000
        assert np.flatnonzero(far_out(Table({"a": values}))).tolist() == [17]

    def test_normal_and_skewed_values_are_left_alone(self) -> None:
        chance = np.random.default_rng(0)
        table = Table({"a": chance.normal(size=100_000), "b": chance.exponential(size=100_000)})
        assert far_out(table).mean() < 0.001
