"""Trees as ONNX graphs answer as the library does: same leaves, same classes, same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.optimization.passes.trees.graphs import forest_to_onnx
from modelyard.runtimes.onnx import open as open_graph

pytest.importorskip("sklearn")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from sklearn import datasets, ensemble, tree  # noqa: E402

CLASSIFIERS = {
    "tree": lambda: tree.DecisionTreeClassifier(random_state=0),
    "forest": lambda: ensemble.RandomForestClassifier(25, random_state=0),
    "shallow forest": lambda: ensemble.RandomForestClassifier(25, max_depth=3, random_state=0),
    "extra trees": lambda: ensemble.ExtraTreesClassifier(20, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
    "histograms": lambda: ensemble.HistGradientBoostingClassifier(max_iter=15),
}
REGRESSORS = {
    "tree": lambda: tree.DecisionTreeRegressor(random_state=0),
    "forest": lambda: ensemble.RandomForestRegressor(25, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0),
    "histograms": lambda: ensemble.HistGradientBoostingRegressor(max_iter=20),
    "histograms of counts": lambda: ensemble.HistGradientBoostingRegressor(
        loss="poisson", max_iter=20
    ),
}
DATA = {"three classes": datasets.load_wine, "two classes": datasets.load_breast_cancer}


def answers_of(obj: Any, rows: Any) -> tuple[Any, Any]:
    """The runtime, and what the graph says."""
    model = forest_to_onnx(obj)
    onnx.checker.check_model(model)
    runtime = open_graph(model, None)
    return runtime, runtime.predict(Table.of(rows)).outputs


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_says_the_same_as_a_graph(name: str, data: str) -> None:
    rows, target = DATA[data](return_X_y=True)
    fitted = CLASSIFIERS[name]().fit(rows[::2], target[::2])

    runtime, outputs = answers_of(fitted, rows)

    assert runtime.about.task == "classification"
    assert runtime.about.classes.tolist() == fitted.classes_.tolist()
    assert (outputs["label"] == fitted.predict(rows)).all()
    assert np.abs(outputs["probability"] - fitted.predict_proba(rows)).max() < 1e-6


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_says_the_same_as_a_graph(name: str) -> None:
    rows, target = datasets.load_diabetes(return_X_y=True)
    fitted = REGRESSORS[name]().fit(rows[::2], target[::2])

    runtime, outputs = answers_of(fitted, rows)

    wanted = fitted.predict(rows)
    assert runtime.about.task == "regression"
    assert outputs["prediction"].shape == wanted.shape
    assert np.abs(outputs["prediction"] / wanted - 1).max() < 1e-6


def test_ties_between_classes_end_as_they_do_in_the_forest() -> None:
    rng = np.random.default_rng(0)
    rows, target = rng.normal(size=(300, 3)), rng.integers(0, 4, 300)
    for classes in (2, 4):
        fitted = ensemble.RandomForestClassifier(10, random_state=0).fit(rows, target % classes)
        asked = rng.normal(size=(4000, 3))
        probability = np.sort(fitted.predict_proba(asked.astype(np.float32)), axis=1)
        assert (probability[:, -1] == probability[:, -2]).sum() > 100

        _, outputs = answers_of(fitted, asked)

        assert (outputs["label"] == fitted.predict(asked)).all()


@pytest.mark.parametrize("name", ["histograms", "forest"])
def test_missing_numbers_go_where_the_library_sends_them(name: str) -> None:
    rows, target = datasets.load_wine(return_X_y=True)
    rng = np.random.default_rng(0)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    fitted = CLASSIFIERS[name]().fit(rows[::2], target[::2])

    _, outputs = answers_of(fitted, rows)

    assert (outputs["label"] == fitted.predict(rows)).all()
    assert np.abs(outputs["probability"] - fitted.predict_proba(rows)).max() < 1e-6


def test_rows_that_lie_exactly_on_thresholds_reach_the_same_leaves() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 50, size=(500, 4)) / 10
    target = (rows.sum(axis=1) > 10).astype(int)
    for name in ("forest", "histograms"):
        fitted = CLASSIFIERS[name]().fit(rows, target)
        members = fitted.estimators_ if name == "forest" else []
        found = [each.tree_.threshold[each.tree_.threshold > 0] for each in members]
        on_edges = np.resize(np.concatenate([*found, rows.ravel()]), (2000, 4))

        _, outputs = answers_of(fitted, on_edges)

        assert (outputs["label"] == fitted.predict(on_edges)).all()


def test_large_numbers_are_compared_as_finely_as_the_library_does() -> None:
    rng = np.random.default_rng(0)
    seconds = 1.7e9 + rng.uniform(0, 3000, size=(2000, 1))
    fitted = ensemble.HistGradientBoostingRegressor(max_iter=20).fit(seconds, seconds[:, 0] % 60)

    _, outputs = answers_of(fitted, seconds)

    wanted = fitted.predict(seconds)
    assert np.abs(outputs["prediction"] - wanted).max() < 1e-5


def test_classes_keep_their_names() -> None:
    rows, target = datasets.load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[target]
    fitted = CLASSIFIERS["forest"]().fit(rows, names)

    runtime, outputs = answers_of(fitted, rows)

    assert runtime.about.classes.tolist() == ["setosa", "versicolor", "virginica"]
    assert (outputs["label"] == fitted.predict(rows)).all()


def test_two_classes_of_which_one_is_always_likelier_are_told_apart_by_more_than_a_half() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    target = (rng.random(400) < 0.9 + 0.05 * (rows[:, 0] > 0)).astype(int)
    for name in ("shallow forest", "boosting", "histograms"):
        fitted = CLASSIFIERS[name]().fit(rows, target)

        _, outputs = answers_of(fitted, rows)

        assert (outputs["label"] == fitted.predict(rows)).all()
        assert np.abs(outputs["probability"] - fitted.predict_proba(rows)).max() < 1e-6


def test_the_same_object_gives_the_same_bytes() -> None:
    rows, target = datasets.load_iris(return_X_y=True)
    first, again = (CLASSIFIERS["forest"]().fit(rows, target) for _ in range(2))
    assert forest_to_onnx(first).SerializeToString(deterministic=True) == forest_to_onnx(
        again
    ).SerializeToString(deterministic=True)


def test_what_has_no_trees_that_can_be_told_gives_nothing() -> None:
    rows, target = datasets.load_iris(return_X_y=True)
    from sklearn.linear_model import LogisticRegression

    assert forest_to_onnx(LogisticRegression(max_iter=500).fit(rows, target)) is None
    both = np.column_stack([target, target])
    assert forest_to_onnx(ensemble.RandomForestClassifier(3).fit(rows, both)) is None
    codes = rows.astype(int)
    by_category = ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[0])
    assert forest_to_onnx(by_category.fit(codes, target)) is None


# --- XGBoost and LightGBM --------------------------------------------------------------------


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("kind", [{}, {"booster": "dart", "rate_drop": 0.3}])
def test_an_xgboost_classifier_says_the_same_as_a_graph(kind: Any, data: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    rows, target = DATA[data](return_X_y=True)
    rng = np.random.default_rng(0)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    fitted = xgboost.XGBClassifier(n_estimators=12, n_jobs=1, **kind).fit(rows[::2], target[::2])

    _, outputs = answers_of(fitted, rows)

    assert (outputs["label"] == fitted.predict(rows)).all()
    assert np.abs(outputs["probability"] - fitted.predict_proba(rows)).max() < 1e-6


@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson", "reg:gamma"])
def test_an_xgboost_regressor_says_the_same_as_a_graph(objective: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    rows, target = datasets.load_diabetes(return_X_y=True)
    fitted = xgboost.XGBRegressor(n_estimators=20, n_jobs=1, objective=objective)
    fitted.fit(rows[::2], target[::2])

    for obj in (fitted, fitted.get_booster()):
        _, outputs = answers_of(obj, rows)
        assert np.abs(outputs["prediction"] / fitted.predict(rows) - 1).max() < 5e-6


def test_an_xgboost_model_that_stopped_early_says_what_it_said_then() -> None:
    xgboost = pytest.importorskip("xgboost")
    rows, target = datasets.load_breast_cancer(return_X_y=True)
    fitted = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, n_jobs=1)
    fitted.fit(rows[::2], target[::2], eval_set=[(rows[1::2], target[1::2])], verbose=False)
    assert fitted.best_iteration < fitted.get_booster().num_boosted_rounds() - 1

    _, outputs = answers_of(fitted, rows)

    assert np.abs(outputs["probability"] - fitted.predict_proba(rows)).max() < 1e-6


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(
    "kind", [{}, {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}]
)
def test_a_lightgbm_classifier_says_the_same_as_a_graph(kind: Any, data: str) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rows, target = DATA[data](return_X_y=True)
    rng = np.random.default_rng(0)
    holes = np.where(rng.random(rows.shape) < 0.1, np.nan, rows)
    for learned_from in (rows, holes):
        fitted = lightgbm.LGBMClassifier(n_estimators=12, n_jobs=1, verbose=-1, **kind)
        fitted.fit(learned_from[::2], target[::2])
        for asked in (rows, holes):
            _, outputs = answers_of(fitted, asked)
            assert (outputs["label"] == fitted.predict(asked)).all()
            assert np.abs(outputs["probability"] - fitted.predict_proba(asked)).max() < 1e-6


@pytest.mark.parametrize("kind", [{}, {"objective": "poisson"}, {"reg_sqrt": True}])
def test_a_lightgbm_regressor_says_the_same_as_a_graph(kind: Any) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rows, target = datasets.load_diabetes(return_X_y=True)
    fitted = lightgbm.LGBMRegressor(n_estimators=20, n_jobs=1, verbose=-1, **kind)
    fitted.fit(rows[::2], target[::2])

    for obj in (fitted, fitted.booster_):
        _, outputs = answers_of(obj, rows)
        assert np.abs(outputs["prediction"] / fitted.predict(rows) - 1).max() < 1e-6


def test_categories_of_boosted_trees_are_left_to_others() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(0, 6, 400), rng.normal(size=400)])
    target = (rows[:, 0] % 2).astype(int)
    fitted = lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1)
    fitted.fit(rows, target, categorical_feature=[0])
    assert forest_to_onnx(fitted) is None
