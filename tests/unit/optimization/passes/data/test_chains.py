"""Data passes follow each other in any order, and work on what others have made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from modelyard.core.table import Table
from modelyard.optimization.passes import pass_named
from modelyard.optimization.stepping import run_pass

if TYPE_CHECKING:
    from collections.abc import Callable

PARAMS: dict[str, dict[str, Any]] = {
    "clean": {"missing": "neighbours"}, "encode": {"categories": "one-hot"},
    "features": {"kind": "ratios", "columns": 3}, "select": {"method": "information", "share": 0.8},
    "balance": {"method": "weights"}, "augment": {"kind": "noise", "strength": 0.05},
    "relabel": {"action": "drop"},
}  # fmt: skip


def _orders() -> list[list[str]]:
    chance = np.random.default_rng(5)
    return [chance.permutation(list(PARAMS)).tolist() for _ in range(4)]


def _mixed(rows: int = 240) -> tuple[Table, Any]:
    chance = np.random.default_rng(0)
    city = chance.integers(0, 6, rows)
    hours, paid = chance.uniform(1, 9, rows), chance.uniform(10, 90, rows)
    paid[chance.random(rows) < 0.1] = np.nan
    since = np.datetime64("2025-01-01", "D") + chance.integers(0, 300, rows)
    target = ((city % 3 == 0) | (chance.random(rows) < 0.1)).astype(np.int64)
    columns = {"hours": hours, "paid": paid, "since": since, "other": chance.normal(size=rows),
               "city": np.array([f"c{each}" for each in city], object)}  # fmt: skip
    return Table(columns), target


@pytest.mark.slow
@pytest.mark.parametrize("order", _orders(), ids=lambda order: "-".join(n[:2] for n in order))
def test_in_any_order(order: list[str], bench: Callable[..., Any]) -> None:
    inputs, target = _mixed()
    first = ColumnTransformer([
        ("numbers", SimpleImputer(), ["hours", "paid", "other"]),
        ("city", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]),
    ])  # fmt: skip
    obj = Pipeline([("columns", first), ("scale", StandardScaler()),
                    ("model", LogisticRegression())])  # fmt: skip
    model, work = bench(obj.fit(inputs.frame(), target), inputs, target)
    for place, name in enumerate(order):
        scratch = work.scratch / str(place)
        scratch.mkdir()
        made = pass_named(name).run(model, PARAMS[name], replace(work, scratch=scratch))
        if made.model is None:  # what an earlier pass has done need not be done again
            assert made.why
            continue
        model = made.model
        work = replace(work, train=made.rows or work.train)
    loaded = model.load()
    assert loaded[-1].class_weight == "balanced"
    assert len(loaded.predict(work.valid.inputs.frame())) == len(work.valid)
    found = {name for name, _ in loaded.steps}
    assert {"clean", "features"} <= found


@pytest.mark.slow
@pytest.mark.parametrize("order", _orders()[:2], ids=lambda order: "-".join(n[:2] for n in order))
def test_on_a_model_without_names(order: list[str], bench: Callable[..., Any]) -> None:
    bunch = load_breast_cancer()
    names = [str(name) for name in bunch.feature_names][:8]
    inputs = Table(dict(zip(names, bunch.data.T[:8], strict=True)))
    obj = make_pipeline(StandardScaler(), LogisticRegression())
    model, work = bench(obj.fit(inputs.matrix(), bunch.target), inputs, bunch.target)
    for place, name in enumerate(order):
        scratch = work.scratch / str(place)
        scratch.mkdir()
        made = pass_named(name).run(model, PARAMS[name], replace(work, scratch=scratch))
        model = made.model or model
        work = replace(work, train=made.rows or work.train)
    loaded = model.load()
    assert not hasattr(loaded, "feature_names_in_")
    found = np.mean(loaded.predict(work.valid.inputs.matrix()) == work.valid.target)
    assert found > 0.85


@pytest.mark.parametrize("name", list(PARAMS))
def test_the_same_seed_makes_the_same_bytes_and_rows(name: str, bench: Callable[..., Any]) -> None:
    inputs, target = _mixed(150)
    target[:20] = 1 - target[:20]
    target[100:] = 0
    obj = Pipeline([
        ("columns", ColumnTransformer([("numbers", SimpleImputer(), ["hours", "other"]),
                                       ("city", OrdinalEncoder(), ["city"])])),
        ("model", LogisticRegression()),
    ])  # fmt: skip
    found = []
    for _ in range(2):
        model, work = bench(obj.fit(inputs.frame(), target), inputs, target)
        made: Any = pass_named(name).run(model, PARAMS[name], work)
        assert made.model is not None
        rows = made.rows or work.train
        found.append((made.model.digest, made.scores, rows.target.tobytes(),
                      [column.tolist() for column in rows.inputs.columns.values()]))  # fmt: skip
    assert str(found[0]) == str(found[1])


def test_text_with_holes_is_left_out_and_told(bench: Callable[..., Any]) -> None:
    inputs, target = _mixed()
    texts = np.array([f"it was number {i} of the year" for i in range(240)], object)
    texts[3] = None
    inputs = Table({**inputs.columns, "words": texts})
    first = ColumnTransformer([("numbers", SimpleImputer(), ["hours", "paid"])])
    obj = Pipeline([("columns", first), ("model", LogisticRegression())])
    model, work = bench(obj.fit(inputs.frame(), target), inputs, target)
    made = pass_named("encode").run(model, {}, work)
    assert any("text is missing in words" in note for note in made.notes)


def test_what_does_not_help_is_dropped(bench: Callable[..., Any]) -> None:
    bunch = load_breast_cancer()
    inputs = Table({str(n): c for n, c in zip(bunch.feature_names, bunch.data.T, strict=True)})
    obj = make_pipeline(StandardScaler(), LogisticRegression())
    model, work = bench(obj.fit(inputs.frame(), bunch.target), inputs, bunch.target)
    params = {"kind": "noise", "strength": 1.0, "copies": 3}
    found, done, rows = run_pass("augment", model, params, work)
    assert found is model
    assert rows is None
    assert not done.kept
    assert done.before["score"] >= done.after["score"]


class TestOtherLibraries:
    def test_boosting_from_files_of_xgboost(self, bench: Callable[..., Any]) -> None:
        xgboost = pytest.importorskip("xgboost")
        inputs, target = self._rare()
        obj = xgboost.XGBClassifier(n_estimators=10, max_depth=2).fit(inputs.matrix(), target)
        model, work = bench(obj, inputs, target)
        made: Any = pass_named("balance").run(model, {"method": "over"}, work)
        assert made.model.saved.framework == "xgboost"
        assert len(made.rows) > len(work.train)
        subject = _subject(model, work)
        assert "missing" not in pass_named("clean").options(subject)
        assert "scikit-learn" in str(pass_named("encode").why_not(subject))

    def test_boosting_of_lightgbm(self, bench: Callable[..., Any]) -> None:
        lightgbm = pytest.importorskip("lightgbm")
        inputs, target = self._rare()
        obj = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1).fit(inputs.matrix(), target)
        model, work = bench(obj, inputs, target)
        made: Any = pass_named("relabel").run(model, {"action": "drop"}, work)
        assert made.model is None or made.model.saved.framework == "lightgbm"

    def test_histograms_keep_missing_values(self, bench: Callable[..., Any]) -> None:
        inputs, target = self._rare()
        obj = HistGradientBoostingClassifier(max_iter=5, random_state=0)
        model, work = bench(obj.fit(inputs.frame(), target), inputs, target)
        made = pass_named("clean").run(model, {"missing": "keep"}, work)
        assert made.model is None

    @pytest.mark.heavy
    def test_networks_learn_on(self, bench: Callable[..., Any]) -> None:
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        bunch = load_digits()
        pictures = (bunch.images[:300] / 16).astype(np.float32)[:, None]
        obj = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10)
        )
        model, work = bench(obj, Table({"data": pictures}), bunch.target[:300])
        made: Any = pass_named("augment").run(
            model, {"kind": "shift", "strength": 0.1, "copies": 2, "epochs": 8}, work
        )
        assert made.model.saved.framework == "torch"
        assert len(made.rows) == 3 * len(work.train)
        without, with_it = made.scores
        assert len(without) == len(with_it) == len(work.valid)
        assert np.mean(with_it) > 0.3

    @staticmethod
    def _rare() -> tuple[Table, Any]:
        bunch = load_breast_cancer()
        rows = np.concatenate([np.flatnonzero(bunch.target == 1),
                               np.flatnonzero(bunch.target == 0)[:40]])  # fmt: skip
        return Table({f"x{i}": bunch.data[rows, i] for i in range(6)}), bunch.target[rows]


def _subject(model: Any, work: Any) -> Any:
    from modelyard.optimization.subjects import subject_of

    return subject_of(model, work.train, work.task)
