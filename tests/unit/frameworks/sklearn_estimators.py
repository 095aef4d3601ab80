"""Fitted estimators of many kinds, small and quick, with rows to ask them."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import cache

import numpy as np


def flowers():
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


def people():
    """A frame with numbers, gaps and text, and a target of text."""
    import pandas

    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({
        "age": rng.integers(18, 80, 120).astype(float),
        "income": rng.normal(3000, 500, 120),
        "city": rng.choice(["Bonn", "Köln", "Trier"], 120),
    })  # fmt: skip
    frame.loc[::17, "age"] = np.nan
    return frame, np.where(frame["income"] + 100 * (frame["city"] == "Bonn") > 3000, "yes", "no")


@contextmanager
def one_thread():
    """OpenMP's threads spin while they wait: on a busy machine that costs seconds."""
    import sklearn.ensemble  # noqa: F401  (what it loads is what is limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


KINDS = (
    "pipeline", "columns", "forest", "boosting", "svc", "neighbours", "mlp", "kmeans", "pca",
    "voting", "ridge", "outliers",
)  # fmt: skip


@cache
def fitted(kind):
    """The estimator, and rows for it. Shared: tests that change it work on a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: these are small on purpose
        return _MAKERS[kind]()


def _pipeline():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = flowers()
    names = np.array(["setosa", "versicolor", "virginica"])
    model = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression(C=2.0))])
    return model.fit(X, names[y]), X


def _columns():
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X, y = people()
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    prepare = ColumnTransformer([
        ("numbers", numbers, ["age", "income"]), ("city", OneHotEncoder(), ["city"]),
    ])  # fmt: skip
    return Pipeline([("prepare", prepare), ("clf", LogisticRegression())]).fit(X, y), X


def _simple(module, name, *, target=True, **params):
    from importlib import import_module

    def make():
        X, y = flowers()
        model = getattr(import_module(f"sklearn.{module}"), name)(**params)
        return (model.fit(X, y) if target else model.fit(X)), X

    return make


def _voting():
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    X, y = flowers()
    return VotingClassifier([("lr", LogisticRegression()), ("nb", GaussianNB())]).fit(X, y), X


_MAKERS = {
    "pipeline": _pipeline,
    "columns": _columns,
    "forest": _simple("ensemble", "RandomForestClassifier", n_estimators=10, random_state=0),
    "boosting": _simple("ensemble", "HistGradientBoostingClassifier", max_iter=5),
    "svc": _simple("svm", "SVC"),
    "neighbours": _simple("neighbors", "KNeighborsClassifier"),
    "mlp": _simple("neural_network", "MLPClassifier", hidden_layer_sizes=(8,), max_iter=20),
    "kmeans": _simple("cluster", "KMeans", target=False, n_clusters=3, random_state=0),
    "pca": _simple("decomposition", "PCA", target=False, n_components=2),
    "voting": _voting,
    "ridge": _simple("linear_model", "Ridge"),
    "outliers": _simple("ensemble", "IsolationForest", n_estimators=10, random_state=0),
}
