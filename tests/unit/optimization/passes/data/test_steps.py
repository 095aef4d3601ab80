"""Steps of passes and steps of people live in one pipeline, and columns that go are gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler

from modelyard.core.table import Table
from modelyard.frameworks.sklearn.derived import Derived
from modelyard.optimization.passes.data.features import PASS as FEATURES
from modelyard.optimization.passes.data.select import PASS as SELECT
from modelyard.optimization.passes.data.steps import (
    encoded,
    filled,
    made_beside,
    only_columns,
    selected,
    with_beside,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FILLER = SimpleImputer(keep_empty_features=True)


def _rows(count: int = 80) -> tuple[Table, Any]:
    chance = np.random.default_rng(0)
    columns = {name: chance.normal(size=count) for name in "abcd"}
    return Table(columns), (columns["a"] * columns["b"] > 0).astype(int)


def _with_city(count: int = 80) -> tuple[Table, Any]:
    table, target = _rows(count)
    city = np.array(list("xyz"), object)[np.arange(count) % 3]
    return Table({**table.columns, "city": city}), target


def _fitted(*steps: tuple[str, Any], rows: tuple[Table, Any] | None = None) -> Any:
    table, target = rows or _rows()
    return Pipeline([*steps, ("model", LogisticRegression())]).fit(table.frame(), target)


def _makes(*formulas: list[Any]) -> Any:
    return Pipeline([("formulas", Derived([*formulas])), ("scale", StandardScaler())])


def _names(obj: Any) -> list[str]:
    return [name for name, _ in obj.steps]


class TestStepsOfPeople:
    @pytest.mark.parametrize("more", [[], [("scaled", StandardScaler())]], ids=["two", "three"])
    def test_their_union_keeps_all_its_parts_beside_what_is_made(self, more: list[Any]) -> None:
        own = [("pca", PCA(2)), ("best", SelectKBest(k=2)), *more]
        obj = _fitted(("features", FeatureUnion(own)))

        made = with_beside(obj, _makes(["product", ["a", "b"]])).fit(_rows()[0].frame(), _rows()[1])

        names = [name for name, _ in own]
        assert [name for name, _ in made[0].transformer_list] == [*names, "made"]
        again = with_beside(made, _makes(["product", ["a", "a"]]))
        assert [name for name, _ in again[0].transformer_list] == [*names, "made", "made2"]

    @pytest.mark.parametrize("change", [
        lambda obj: filled(obj, FILLER), lambda obj: encoded(obj, StandardScaler()),
        lambda obj: only_columns(obj, ["a", "b", "c"]),
    ], ids=["clean", "encode", "select"])  # fmt: skip
    def test_their_union_outlives_every_pass(self, change: Callable[[Any], Any]) -> None:
        union = FeatureUnion([("pca", PCA(2)), ("best", SelectKBest(k=2)), ("s", StandardScaler())])
        made = change(_fitted(("features", union)))
        assert [name for name, _ in made[1].transformer_list] == ["pca", "best", "s"]
        made.fit(_rows()[0].frame(), _rows()[1])

    def test_their_step_named_clean_stays_behind_the_one_that_fills(self) -> None:
        obj = filled(_fitted(("clean", PolynomialFeatures(2))), FILLER)
        assert [type(step).__name__ for _, step in obj.steps[:2]] == [
            "SimpleImputer", "PolynomialFeatures",
        ]  # fmt: skip
        twice = filled(obj, FILLER)
        assert _names(twice) == _names(obj)  # what was filled is not filled again

    def test_their_encoder_named_encode_stays(self) -> None:
        obj = _fitted(("encode", StandardScaler()), ("select", SelectKBest(k=2)))
        assert _names(encoded(obj, OrdinalEncoder())) == ["encode2", "encode", "select", "model"]
        assert _names(only_columns(obj, ["a", "b"])) == ["select2", "encode", "select", "model"]

    def test_names_outlive_columns_that_are_filled_in_another_order(self) -> None:
        rows = _with_city()
        table = Table({"city": rows[0].columns["city"], **rows[0].columns})
        first = ColumnTransformer([("city", OneHotEncoder(), [0]),
                                   ("n", StandardScaler(), slice(1, 3))])  # fmt: skip
        filler = ColumnTransformer(
            [("numbers", FILLER, list("abcd"))], remainder="passthrough",
            verbose_feature_names_out=False,
        ).set_output(transform="pandas")  # fmt: skip
        obj = _fitted(("columns", first), rows=(table, rows[1]))
        made = filled(obj, filler).fit(table.frame(), rows[1])
        assert [each[2] for each in made[1].transformers] == [["city"], ["a", "b"]]


class TestMadeTwice:
    def test_what_was_made_before_stays(self, bench: Callable[..., Any]) -> None:
        table, target = _rows()
        model, work = bench(LogisticRegression().fit(table.frame(), target), table, target)
        first: Any = FEATURES.run(model, {"kind": "products", "columns": 3}, work)
        work = replace(work, scratch=work.scratch.parent)
        second: Any = FEATURES.run(first.model, {"kind": "squares", "columns": 3}, work)
        loaded = second.model.load()
        assert len(made_beside(loaded)) == 6
        assert loaded[0].transform(table.frame()).shape[1] == 4 + 6

    def test_the_same_is_not_made_again(self, bench: Callable[..., Any]) -> None:
        table, target = _rows()
        model, work = bench(LogisticRegression().fit(table.frame(), target), table, target)
        first: Any = FEATURES.run(model, {"kind": "squares", "columns": 3}, work)
        assert "already" in FEATURES.run(first.model, {"kind": "squares", "columns": 3}, work).why


class TestFewerColumns:
    @pytest.mark.parametrize("given", [
        ["a", "b", "c", "d"], [0, 1, 2, 3], slice(0, 4), [True] * 4, slice("a", "d"),
        lambda frame: list(frame.columns),
    ], ids=["names", "positions", "slice", "mask", "slice-of-names", "asked"])  # fmt: skip
    def test_columns_go_however_they_were_named(self, given: Any) -> None:
        obj = _fitted(("columns", ColumnTransformer([("n", StandardScaler(), given)])))
        made = only_columns(obj, ["a", "c"]).fit(_rows()[0].frame(), _rows()[1])
        assert made[0].get_feature_names_out().tolist() == ["n__a", "n__c"]

    def test_what_remained_goes_too(self) -> None:
        first = ColumnTransformer([("n", StandardScaler(), ["a", "b"])], remainder="passthrough")
        made = only_columns(_fitted(("columns", first)), ["a", "c"])
        made.fit(_rows()[0].frame(), _rows()[1])
        assert made[0].get_feature_names_out().tolist() == ["n__a", "others__c"]

    def test_text_whose_encoder_goes_does_not_reach_the_model(self) -> None:
        first = ColumnTransformer([("k", OneHotEncoder(), ["city"])], remainder="passthrough")
        table, target = _with_city()
        made = only_columns(_fitted(("columns", first), rows=(table, target)), ["b", "d"])
        assert len(made.fit(table.frame(), target).predict(table.frame())) == len(table)

    def test_a_model_without_names_is_told_of_positions(self) -> None:
        table, target = _rows()
        first = ColumnTransformer([("n", StandardScaler(), slice(0, 3))], remainder="passthrough")
        obj = make_pipeline(first, LogisticRegression()).fit(table.matrix(), target)
        made = only_columns(obj, [1, 3])
        assert [each[2] for each in made[0].transformers] == [[1], [3]]

    def test_after_columns_were_made_the_inputs_can_still_go(self) -> None:
        made = with_beside(_fitted(("scale", StandardScaler())), _makes(["product", ["a", "b"]]))
        left = only_columns(made.fit(_rows()[0].frame(), _rows()[1]), ["c"])
        assert selected(left) == ["c"]

    @pytest.mark.parametrize("steps", [
        [("columns", ColumnTransformer([("k", OrdinalEncoder(categories=[[*"xyz"]]), ["city"]),
                                        ("n", StandardScaler(), ["a", "b"])]))],
        [("all", Pipeline([("columns", ColumnTransformer([("n", StandardScaler(), ["a"])]))]))],
        [("columns", ColumnTransformer([("n", StandardScaler(), ["a", "b"])]))],
    ], ids=["named-values", "within-a-step", "none-is-left"])  # fmt: skip
    def test_where_that_can_t_be_nothing_is_done_and_said(
        self, steps: list[Any], bench: Callable[..., Any]
    ) -> None:
        table, target = _with_city()
        model, work = bench(_fitted(*steps, rows=(table, target)), table, target)
        made = SELECT.run(model, {"keep": ["c", "city"]}, work)
        assert made.model is None
        assert made.why == "the model can't be made to look at these columns only"
