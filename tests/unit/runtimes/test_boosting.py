"""Runtimes of XGBoost and LightGBM say what the libraries say, bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.runtimes import runtime_of

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

RNG = np.random.default_rng(3)
X = RNG.normal(size=(50, 3))
X[::7, 1] = math.nan
Y = X[:, 0] * 2 + X[:, 2]
TWO = (X[:, 0] > 0).astype(int)
THREE = TWO + (X[:, 2] > 0)
MANY = RNG.normal(size=(200, 3))
MANY[::3, 2] = math.nan
MATRIX = Table({"rows": MANY})
XGB = {"n_estimators": 6, "max_depth": 3, "n_jobs": 1}
LGBM = {"n_estimators": 6, "num_leaves": 5, "n_jobs": 1, "verbose": -1, "min_child_samples": 3}


def frame(values=X):
    import pandas

    return pandas.DataFrame(values, columns=["a", "b", "c"])


def predicted(model, table=MATRIX):
    name = type(model).__module__.partition(".")[0]
    with runtime_of(name, model) as runtime:
        found = runtime.predict(table)
    assert found.seconds >= 0
    return found.outputs


CLASSIFIERS = {
    "xgboost of two": lambda: xgboost.XGBClassifier(**XGB).fit(X, TWO),
    "xgboost of three": lambda: xgboost.XGBClassifier(**XGB).fit(X, THREE),
    "xgboost softmax": lambda: xgboost.XGBClassifier(**XGB, objective="multi:softmax").fit(
        X, THREE
    ),
    "xgboost forest": lambda: xgboost.XGBRFClassifier(**XGB).fit(X, TWO),
    "xgboost of several labels": lambda: xgboost.XGBClassifier(**XGB).fit(
        X, np.column_stack([TWO, THREE > 1])
    ),
    "xgboost stopped early": lambda: xgboost.XGBClassifier(
        **{**XGB, "n_estimators": 40, "early_stopping_rounds": 1}
    ).fit(X[:30], TWO[:30], eval_set=[(X[30:], 1 - TWO[30:])], verbose=False),
    "lightgbm of two": lambda: lightgbm.LGBMClassifier(**LGBM).fit(X, TWO),
    "lightgbm of words": lambda: lightgbm.LGBMClassifier(**LGBM).fit(
        X, np.array(["no", "perhaps", "yes"], object)[THREE]
    ),
}  # fmt: skip

REGRESSORS = {
    "xgboost": lambda: xgboost.XGBRegressor(**XGB).fit(X, Y),
    "xgboost dart": lambda: xgboost.XGBRegressor(**XGB, booster="dart").fit(X, Y),
    "xgboost missing is zero": lambda: xgboost.XGBRegressor(**XGB, missing=0.0).fit(
        np.nan_to_num(X), Y
    ),
    "xgboost ranker": lambda: xgboost.XGBRanker(**XGB).fit(X, TWO, qid=np.repeat([0, 1], 25)),
    "lightgbm": lambda: lightgbm.LGBMRegressor(**LGBM).fit(X, Y),
    "lightgbm ranker": lambda: lightgbm.LGBMRanker(**LGBM).fit(X, TWO, group=[25, 25]),
}


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classifiers_give_labels_and_probabilities(kind):
    model = CLASSIFIERS[kind]()
    outputs = predicted(model)
    assert np.array_equal(outputs["probability"], model.predict_proba(MANY))
    assert np.array_equal(outputs["label"], model.predict(MANY))
    assert outputs["label"].dtype == model.predict(MANY).dtype


@pytest.mark.parametrize("kind", REGRESSORS)
def test_regressors_and_rankers_give_predictions(kind):
    model = REGRESSORS[kind]()
    rows = np.nan_to_num(MANY) if "zero" in kind else MANY
    outputs = predicted(model, Table({"rows": rows}))
    assert outputs.keys() == {"prediction"}
    assert np.array_equal(outputs["prediction"], model.predict(rows))


@pytest.mark.parametrize("params", [
    {"objective": "binary:logistic"}, {"objective": "binary:logitraw"},
    {"objective": "binary:hinge"}, {"booster": "gblinear", "updater": "coord_descent"},
    {"objective": "reg:squarederror"},
])  # fmt: skip
def test_boosters_of_xgboost_say_what_they_say(params):
    rows, many = np.nan_to_num(X), np.nan_to_num(MANY)
    data = xgboost.DMatrix(rows, TWO, feature_names=["a", "b", "c"])
    model = xgboost.train({"nthread": 1, **params}, data, 4)
    theirs = model.predict(xgboost.DMatrix(many, feature_names=["a", "b", "c"]))
    outputs = predicted(model, Table(dict(zip("abc", many.T, strict=True))))
    if params.get("objective") == "binary:logistic":
        assert np.array_equal(outputs["probability"][:, 1], theirs)
        assert np.array_equal(outputs["label"], (theirs > 0.5).astype(int))
    elif params.get("objective") == "binary:hinge":
        assert np.array_equal(outputs["label"], theirs.astype(int))
    else:
        assert np.array_equal(outputs["prediction"], theirs)


def test_boosters_of_many_classes_give_labels_and_probabilities():
    params = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    model = xgboost.train(params, xgboost.DMatrix(X, THREE), 4)
    theirs = model.predict(xgboost.DMatrix(MANY))
    ours = predicted(model)
    assert np.array_equal(ours["probability"], theirs)
    assert np.array_equal(ours["label"], theirs.argmax(axis=1))
    params = {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1}
    model = lightgbm.train(params, lightgbm.Dataset(X, THREE), 4)
    ours = predicted(model)
    assert np.array_equal(ours["probability"], model.predict(MANY))
    assert np.array_equal(ours["label"], model.predict(MANY).argmax(axis=1))


def test_a_runtime_tells_what_it_knows():
    runtime = runtime_of("xgboost", xgboost.XGBClassifier(**XGB).fit(frame(), TWO), {"inputs": []})
    about = runtime.about
    assert (about.framework, about.task, about.features) == (
        "xgboost", "classification", ("a", "b", "c"),
    )  # fmt: skip
    assert about.classes.tolist() == [0, 1]
    assert about.signature == {"inputs": []}
    about = runtime_of("lightgbm", REGRESSORS["lightgbm"]()).about
    assert (about.task, about.classes, about.features) == ("regression", None, None)
    assert runtime_of("xgboost", REGRESSORS["xgboost ranker"]()).about.task is None


NAMED = {
    "xgboost": lambda: xgboost.XGBRegressor(**XGB).fit(frame(), Y),
    "lightgbm": lambda: lightgbm.LGBMRegressor(**LGBM).fit(frame(), Y),
}


@pytest.mark.parametrize("kind", NAMED)
def test_columns_are_taken_by_name_in_any_order(kind):
    model = NAMED[kind]()
    a, b, c = MANY.T
    table = Table({"c": c, "extra": np.array(["x"] * 200, object), "b": b, "a": a})
    assert np.array_equal(predicted(model, table)["prediction"], model.predict(frame(MANY)))
    assert np.array_equal(predicted(model)["prediction"], model.predict(frame(MANY)))
    with pytest.raises(InvalidInput, match="'b'") as failure:
        predicted(model, Table({"a": a, "c": c}))
    assert failure.value.kind == "no-column"


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
@pytest.mark.parametrize(("table", "error"), [
    (Table({"a": np.zeros(3), "b": np.zeros(3)}), "bad-inputs"),
    (Table({"rows": np.zeros((3, 7))}), "bad-inputs"),
    (Table({"a": np.array(["x"], object), "b": np.zeros(1), "c": np.zeros(1)}), "not-numeric"),
    (Table({"rows": np.array([["x", "y", "z"]], object)}), "not-numeric"),
    (Table({"rows": np.array([["2020-01-01"] * 3], "datetime64[D]")}), "not-numeric"),
])  # fmt: skip
def test_rows_that_do_not_fit_are_refused(kind, table, error, capfd):
    with pytest.raises(InvalidInput) as failure:
        predicted(REGRESSORS[kind](), table)
    assert failure.value.kind == error
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "float16", "uint8"])
@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
def test_any_number_will_do(kind, dtype):
    rows = np.arange(30).reshape(10, 3).astype(dtype)
    model = REGRESSORS[kind]()
    said = predicted(model, Table({"rows": rows}))["prediction"]
    assert np.array_equal(said, model.predict(rows))


@pytest.mark.parametrize("make", [xgboost.XGBRegressor, lightgbm.LGBMRegressor, xgboost.Booster])
def test_what_was_never_fitted_does_not_answer(make):
    with pytest.raises(InvalidInput) as failure:
        predicted(make())
    assert failure.value.kind == "not-fitted"
