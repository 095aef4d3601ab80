"""Estimators of scikit-learn made to answer."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.runtimes import runtime_of

ROWS = np.random.default_rng(0).normal(size=(60, 3))
CLASSES = np.array(["low", "middle", "high"])[np.digitize(ROWS[:, 0], [-0.5, 0.5])]
TABLE = Table({name: ROWS[:, at] for at, name in enumerate("abc")})
BY_TASK = {
    "classification": [
        ("linear_model", "LogisticRegression", {}),
        ("tree", "DecisionTreeClassifier", {"max_depth": 3}),
        ("ensemble", "RandomForestClassifier", {"n_estimators": 7}),
        ("ensemble", "ExtraTreesClassifier", {"n_estimators": 8}),
        ("ensemble", "BaggingClassifier", {"n_estimators": 4}),
        ("ensemble", "HistGradientBoostingClassifier", {"max_iter": 4}),
        ("neighbors", "KNeighborsClassifier", {"n_neighbors": 4}),
        ("calibration", "CalibratedClassifierCV", {"cv": 2}),
        ("naive_bayes", "GaussianNB", {}),
        ("svm", "LinearSVC", {}),
    ],
    "regression": [("linear_model", "Ridge", {}), ("tree", "DecisionTreeRegressor", {})],
    "embedding": [("decomposition", "PCA", {"n_components": 2})],
    "clustering": [("cluster", "KMeans", {"n_clusters": 2})],
    "outliers": [("ensemble", "IsolationForest", {"n_estimators": 5})],
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """OpenMP's threads spin while they wait: on a busy machine that costs seconds."""
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def made(module, name, params):
    from importlib import import_module

    return getattr(import_module(f"sklearn.{module}"), name)(**params)


def cases(task):
    return pytest.mark.parametrize("case", BY_TASK[task], ids=[c[1] for c in BY_TASK[task]])


@cases("classification")
@pytest.mark.parametrize("named", [True, False], ids=["by name", "by position"])
def test_classifiers_give_the_labels_and_probabilities_of_their_own_calls(case, named):
    rows = TABLE.frame() if named else ROWS
    model = made(*case).fit(rows, CLASSES)

    with runtime_of("sklearn", model) as runtime:
        found = runtime.predict(TABLE)

    assert np.array_equal(found.outputs["label"], model.predict(rows))
    assert found.outputs["label"].dtype == CLASSES.dtype
    if hasattr(model, "predict_proba"):
        assert np.array_equal(found.outputs["probability"], model.predict_proba(rows))
    assert found.seconds > 0
    assert runtime.about.task == "classification"
    assert list(runtime.about.classes) == ["high", "low", "middle"]
    assert runtime.about.features == (("a", "b", "c") if named else None)


def test_a_pipeline_prepares_rows_once_for_labels_and_probabilities():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    asked = []

    def watched(rows):
        asked.append(len(rows))
        return rows

    inner = make_pipeline(FunctionTransformer(watched), StandardScaler())
    model = make_pipeline(inner, LogisticRegression()).fit(ROWS, CLASSES)
    expected = model.predict(ROWS), model.predict_proba(ROWS)
    asked.clear()

    found = runtime_of("sklearn", model).predict(TABLE).outputs

    assert asked == [60]
    assert np.array_equal(found["label"], expected[0])
    assert np.array_equal(found["probability"], expected[1])


@cases("regression")
def test_regressors_give_predictions(case):
    model = made(*case).fit(ROWS, ROWS.sum(axis=1))

    runtime = runtime_of("sklearn", model)

    assert runtime.about.task == "regression"
    assert np.array_equal(runtime.predict(TABLE).outputs["prediction"], model.predict(ROWS))


@pytest.mark.parametrize(
    ("task", "output", "method"),
    [
        ("embedding", "embedding", "transform"), ("clustering", "label", "predict"),
        ("outliers", "label", "predict"),
    ],
)  # fmt: skip
def test_what_learns_without_a_target_answers_too(task, output, method):
    model = made(*BY_TASK[task][0]).fit(ROWS)

    runtime = runtime_of("sklearn", model)

    assert runtime.about.task == (task if task == "embedding" else None)
    assert np.array_equal(runtime.predict(TABLE).outputs[output], getattr(model, method)(ROWS))


def test_several_targets_have_a_probability_each():
    from sklearn.ensemble import RandomForestClassifier

    targets = np.column_stack([ROWS[:, 0] > 0, ROWS[:, 1] > 0])
    model = RandomForestClassifier(3).fit(ROWS, targets)

    found = runtime_of("sklearn", model).predict(TABLE).outputs

    assert found["label"].shape == (60, 2)
    assert np.array_equal(found["probability_1"], model.predict_proba(ROWS)[1])


def test_text_is_embedded_as_an_array():
    from sklearn.feature_extraction.text import CountVectorizer

    texts = np.array(["a good day", "a bad day"], dtype=object)
    model = CountVectorizer().fit(texts)

    found = runtime_of("sklearn", model).predict(Table({"text": texts})).outputs["embedding"]
    assert np.array_equal(found, model.transform(texts).toarray())


def test_columns_may_come_in_any_order_and_with_others_where_names_are_known():
    from sklearn.linear_model import Ridge

    model = Ridge().fit(TABLE.frame(), ROWS[:, 0])
    mixed = Table({"z": ROWS[:, 0], **{name: TABLE.columns[name] for name in "cab"}})

    found = runtime_of("sklearn", model).predict(mixed).outputs["prediction"]
    assert np.array_equal(found, model.predict(TABLE.frame()))


def test_what_it_can_not_take_is_told_plainly():
    from sklearn.cluster import DBSCAN
    from sklearn.linear_model import Ridge

    named = Ridge().fit(TABLE.frame(), ROWS[:, 0])
    plain = Ridge().fit(ROWS, ROWS[:, 0])
    texts = Table({**TABLE.columns, "b": np.array(["x"] * 60, dtype=object)})
    for kind, model, rows in (
        ("no-column", named, TABLE.without("b")), ("not-numeric", plain, texts),
        ("bad-inputs", plain, TABLE.without("b")), ("bad-inputs", named, texts),
        ("not-fitted", Ridge(), TABLE),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as error:
            runtime_of("sklearn", model).predict(rows)
        assert error.value.kind == kind
    with pytest.raises(Unsupported) as lacking:
        runtime_of("sklearn", DBSCAN().fit(ROWS)).predict(TABLE)
    assert lacking.value.kind == "no-predict"
