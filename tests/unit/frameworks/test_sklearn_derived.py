"""Derived columns: formulas that are data, in files that need no trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput
from modelyard.frameworks import FolderFiles, framework_of
from modelyard.frameworks.sklearn.derived import FORMULAS, Derived

if TYPE_CHECKING:
    from pathlib import Path

ROWS = np.array([[6.0, 3.0], [1.0, 0.0], [np.nan, 2.0]])


@pytest.mark.parametrize(
    ("formula", "asked"),
    [
        (["ratio", [0, 1]], [2, np.nan, np.nan]),
        (["difference", [0, 1]], [3, 1, np.nan]),
        (["product", [0, 1]], [18, 0, np.nan]),
        (["mean", [0, 1]], [4.5, 0.5, 2]),
        (["deviation", [0, 1]], [1.5, 0.5, 0]),
        (["least", [0, 1]], [3, 0, 2]),
        (["most", [0, 1]], [6, 1, 2]),
        (["missing", [0, 1]], [0, 0, 1]),
    ],
)
def test_numbers(formula: list[Any], asked: list[float]) -> None:
    found = Derived([formula]).fit_transform(ROWS)
    np.testing.assert_allclose(found[:, 0], asked)


def test_rows_without_any_number_have_no_mean() -> None:
    rows = np.full((2, 2), np.nan)
    found = Derived([[each, [0, 1]] for each in ("mean", "least", "most")]).fit_transform(rows)
    assert np.isnan(found).all()


def test_parts_of_times_are_those_of_pandas() -> None:
    chance = np.random.default_rng(0)
    times = np.datetime64("1950-01-01", "s") + chance.integers(0, 4_000_000_000, 500)
    frame = pd.DataFrame({"when": times.astype("datetime64[s]")})
    parts = ("year", "month", "day", "weekday", "hour", "days")
    found = Derived([[each, ["when"]] for each in parts]).fit_transform(frame)
    of = frame["when"].dt
    np.testing.assert_array_equal(found[:, 0], of.year)
    np.testing.assert_array_equal(found[:, 1], of.month)
    np.testing.assert_array_equal(found[:, 2], of.day)
    np.testing.assert_array_equal(found[:, 3], of.day_of_week)
    np.testing.assert_allclose(found[:, 4], of.hour + of.minute / 60 + of.second / 3600)
    np.testing.assert_allclose(found[:, 5], times.astype(np.int64) / 86400)


def test_no_time_is_missing() -> None:
    frame = pd.DataFrame({"when": np.array(["2026-01-05", "NaT"], "datetime64[s]")})
    assert Derived([["weekday", ["when"]]]).fit_transform(frame)[:, 0].tolist()[0] == 0
    assert np.isnan(Derived([["hour", ["when"]]]).fit_transform(frame)[1, 0])


def test_it_is_saved_and_loaded_without_trust(tmp_path: Path) -> None:
    obj = make_pipeline(Derived([["product", [0, 1]], ["ratio", [0, 1]]]), LinearRegression())
    rows = np.random.default_rng(0).uniform(1, 2, (50, 2))
    obj.fit(rows, rows[:, 0] / rows[:, 1])
    framework = framework_of(obj)
    saved = framework.save(obj, tmp_path, "skops", None)
    again = framework.load(FolderFiles(tmp_path), saved, Trust())
    np.testing.assert_array_equal(again.predict(rows), obj.predict(rows))
    assert again[0].get_feature_names_out().tolist() == ["product(0,1)", "ratio(0,1)"]


def test_it_is_an_estimator_like_others() -> None:
    obj = Derived([["missing", [0]]])
    assert clone(obj).formulas == obj.formulas
    assert obj.set_params(formulas=[["mean", [1]]]).formulas == [["mean", [1]]]
    with pytest.raises(ValueError, match="Invalid parameter"):
        obj.set_params(other=1)


@pytest.mark.parametrize(
    "formula",
    ["ratio", ["ratio", [0]], ["eval", [0]], ["mean", []], ["year", [0, 1]], ["mean", [None]], 3],
)
def test_what_is_no_formula_is_refused(formula: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        Derived([formula]).fit(ROWS)
    assert caught.value.kind == "bad-param"
    assert FORMULAS[0] in str(caught.value.hint)
