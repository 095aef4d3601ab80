"""Columns are made, and columns are left out, where that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.optimization.passes.data.features import PASS as FEATURES
from modelyard.optimization.passes.data.learning import learner_of
from modelyard.optimization.passes.data.select import PASS as SELECT
from modelyard.optimization.passes.data.select import importances, information
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable


def _rates(rows: int = 400) -> tuple[Table, Any]:
    """What is paid by the hour, of what was paid and the hours."""
    chance = np.random.default_rng(0)
    hours, paid = chance.uniform(1, 40, rows), chance.uniform(100, 5000, rows)
    table = Table({"paid": paid, "hours": hours, "noise": chance.normal(size=rows)})
    return table, (paid / hours > 120).astype(np.int64)


class TestFeatures:
    @pytest.mark.parametrize("named", [True, False])
    def test_a_ratio_helps_a_linear_model(self, named: bool, bench: Callable[..., Any]) -> None:
        inputs, _ = _rates()
        target = inputs.columns["paid"] / inputs.columns["hours"]
        obj = make_pipeline(StandardScaler(), LinearRegression())
        obj.fit(inputs.frame() if named else inputs.matrix(), target)
        model, work = bench(obj, inputs, target, "regression")
        made: Any = FEATURES.run(model, {"kind": "ratios", "columns": 3}, work)
        assert made.model is not None
        assert np.mean(made.scores[1]) > 0.1 * np.mean(made.scores[0])  # both negative
        loaded = made.model.load()
        assert hasattr(loaded, "feature_names_in_") is named
        rows = work.valid.inputs.frame() if named else work.valid.inputs.matrix()
        assert len(loaded.predict(rows)) == len(work.valid)

    def test_parts_of_times_help(self, bench: Callable[..., Any]) -> None:
        chance = np.random.default_rng(0)
        times = np.datetime64("2025-01-01T00:00", "s") + chance.integers(0, 365 * 86400, 500)
        weekend = (times.astype("datetime64[D]").astype(int) + 3) % 7 >= 5
        inputs = Table({"when": times, "other": chance.normal(size=500)})
        obj = Pipeline([
            ("columns", ColumnTransformer([("numbers", "passthrough", ["other"])],
                                          remainder="drop")),
            ("model", LogisticRegression()),
        ])  # fmt: skip
        obj.fit(inputs.frame(), weekend.astype(int))
        model, work = bench(obj, inputs, weekend.astype(int))
        made: Any = FEATURES.run(model, {"kind": "times", "columns": 3}, work)
        assert np.mean(made.scores[1]) > np.mean(made.scores[0]) + 0.05
        assert len(made.model.load().predict(work.valid.inputs.frame())) == len(work.valid)

    def test_numbers_are_needed(self, bench: Callable[..., Any]) -> None:
        inputs, target = _rates(100)
        obj = LogisticRegression(max_iter=5000).fit(inputs.frame(), target)
        model, work = bench(obj, inputs, target)
        assert "no times" in FEATURES.run(model, {"kind": "times"}, work).why
        with pytest.raises(InvalidInput) as caught:
            FEATURES.run(model, {"kind": "magic"}, work)
        assert caught.value.kind == "bad-pass-option"


class TestSelection:
    @pytest.mark.parametrize("method", ["permutation", "information", "l1"])
    def test_columns_of_noise_are_left_out(self, method: str, bench: Callable[..., Any]) -> None:
        bunch = load_diabetes()
        chance = np.random.default_rng(0)
        columns = dict(zip(bunch.feature_names, bunch.data.T, strict=True))
        columns |= {f"noise{i}": chance.normal(size=len(bunch.target)) for i in range(20)}
        inputs = Table(columns)
        obj = make_pipeline(StandardScaler(), KNeighborsRegressor(9))
        model, work = bench(obj.fit(inputs.frame(), bunch.target), inputs, bunch.target,
                            "regression")  # fmt: skip
        from dataclasses import replace

        model = replace(model, trust=Trust(everything=True))  # for neighbours
        made: Any = SELECT.run(model, {"method": method, "share": 0.25}, work)
        assert made.model is not None
        assert np.mean(made.scores[1]) > np.mean(made.scores[0])
        kept = made.model.load()[0].transformers_[0][2]
        assert sum(name.startswith("noise") for name in kept) <= 3
        assert "bmi" in kept

    def test_requests_may_go_on_giving_all_columns(self, bench: Callable[..., Any]) -> None:
        bunch = load_breast_cancer()
        inputs = Table({str(n): c for n, c in zip(bunch.feature_names, bunch.data.T, strict=True)})
        obj = make_pipeline(StandardScaler(), LogisticRegression())
        model, work = bench(obj.fit(inputs.matrix(), bunch.target), inputs, bunch.target)
        made: Any = SELECT.run(model, {"method": "information", "share": 0.5}, work)
        loaded = made.model.load()
        found = loaded.predict(work.valid.inputs.matrix())
        assert np.mean(found == work.valid.target) > 0.9

    def test_parts_of_a_pipeline_look_at_fewer_columns(self, bench: Callable[..., Any]) -> None:
        chance = np.random.default_rng(0)
        colours = np.array(["red", "green", "blue"], object)[chance.integers(0, 3, 300)]
        inputs = Table({"a": chance.normal(size=300), "b": chance.normal(size=300),
                        "colour": colours})  # fmt: skip
        target = (colours == "red").astype(int)
        first = ColumnTransformer([("n", StandardScaler(), ["a", "b"]),
                                   ("c", OneHotEncoder(), ["colour"])])  # fmt: skip
        obj = Pipeline([("columns", first), ("model", LogisticRegression())])
        model, work = bench(obj.fit(inputs.frame(), target), inputs, target)
        made: Any = SELECT.run(model, {"keep": ["colour"]}, work)
        assert [name for name, *_ in made.model.load()[0].transformers] == ["c"]

    def test_columns_are_not_ranked_by_rows_that_were_made_of_others(
        self, bench: Callable[..., Any]
    ) -> None:
        rng = np.random.default_rng(0)
        own = np.tile(np.arange(60), 10)
        values, target = rng.normal(size=(60, 3))[own], rng.integers(0, 2, 60)[own]
        values[60:] += rng.normal(size=(540, 3)) * 1e-6
        inputs = Table({f"c{at}": column for at, column in enumerate(values.T)})
        rows = Rows(inputs, target, origins=np.concatenate([np.arange(60), -1 - own[60:]]))
        obj = KNeighborsClassifier(1, algorithm="brute").fit(inputs.frame(), target)
        model, work = bench(obj, inputs, target)

        ranks = importances(learner_of(model), rows, work.task, "permutation", 0)

        assert ranks.mean() < 0.7  # over three folds; by their own copies it is nearly 1

    def test_every_method_ranks_the_column_that_decides_first(
        self, bench: Callable[..., Any]
    ) -> None:
        inputs, _ = _rates(300)
        target = (inputs.columns["hours"] > 20).astype(int)
        obj = make_pipeline(StandardScaler(), LogisticRegression())
        model, work = bench(obj.fit(inputs.frame(), target), inputs, target)
        for method in ("permutation", "information", "l1"):
            ranks = importances(learner_of(model), work.train, work.task, method, 0)
            assert ranks.argmax() == 1

    def test_noise_says_nothing(self) -> None:
        chance = np.random.default_rng(0)
        classes = chance.integers(0, 3, 5000)
        assert information(chance.normal(size=5000), classes) == pytest.approx(0, abs=0.002)
        assert information(classes.astype(float), classes) == pytest.approx(np.log(3), abs=0.01)
