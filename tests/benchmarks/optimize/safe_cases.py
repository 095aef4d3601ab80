"""Cases of `safe.py`: a real table, a model that somebody made of some rows, and a recipe.

All chance comes from the number of the case.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.benchmarks.monitoring import cbpe

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Case", "case_of"]

Array = np.ndarray[Any, Any]

_JUDGED = 3000
"""Rows at most by which what was published is judged."""
_SIZES = (150, 300, 600, 1000)
"""Rows that an optimization gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One optimization."""

    number: int
    table: str
    task: str
    model_name: str
    model: Any
    """Fitted to other rows than the recipe gets."""
    given: tuple[Array, Array]
    """Inputs and target that the recipe gets."""
    judged: tuple[Array, Array]
    """Rows that neither the model nor the recipe has seen."""
    recipe: str
    """YAML."""


def case_of(number: int) -> Case:
    """The case of a number, always the same."""
    rng = np.random.default_rng([2026, number])
    task = "regression" if rng.random() < 0.25 else "classification"
    names = sorted(_regressions() if task == "regression" else _classifications())
    table = str(rng.choice(names))
    x, y = (_regressions() if task == "regression" else _classifications())[table]
    order = rng.permutation(len(x))
    size = min(int(rng.choice(_SIZES)), int(len(x) * 0.45))
    own = max(60, size // 2)
    own, size = min(own, len(x) // 4), size
    parts = np.split(order, [own, own + size, own + size + _JUDGED])
    models = _regressors(number) if task == "regression" else _classifiers(number)
    name = str(rng.choice(sorted(models)))
    return Case(
        number=number, table=table, task=task, model_name=name,
        model=models[name]().fit(x[parts[0]], y[parts[0]]),
        given=(x[parts[1]], y[parts[1]]), judged=(x[parts[2]], y[parts[2]]),
        recipe=_recipe(rng, name, task),
    )  # fmt: skip


@cache
def _classifications() -> dict[str, tuple[Array, Array]]:
    """Rows are mixed; missing values become means, so that all models can take them."""
    from sklearn import datasets

    found = {}
    for name in ("iris", "wine", "breast_cancer", "digits"):
        made = getattr(datasets, f"load_{name}")()
        found[name] = (made.data.astype(np.float64), made.target.astype(np.int64))
    return found | _larger()


def _larger() -> dict[str, tuple[Array, Array]]:
    """Some thousand rows of the tables of monitoring's benchmarks, kept as they were drawn."""
    kept = Path(".bench/optimize/safe-tables.npz")
    if not kept.is_file():
        drawn = {}
        for name, (x, y) in cbpe.tables().items():
            rows = np.random.default_rng(0).permutation(len(x))[:8000]
            drawn |= {f"{name}.x": _whole(x[rows]), f"{name}.y": y[rows]}
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **drawn)
    with np.load(kept) as content:
        names = sorted({name.split(".")[0] for name in content})
        return {name: (content[f"{name}.x"], content[f"{name}.y"]) for name in names}


@cache
def _regressions() -> dict[str, tuple[Array, Array]]:
    """Diabetes, and tables of measurements whose first column is told by the others."""
    from sklearn import datasets

    made = datasets.load_diabetes()
    found = {"diabetes": (made.data, made.target)}
    for name in ("magic", "letters", "diamonds"):
        x, _ = _classifications()[name]
        found[name] = (x[:, 1:], x[:, 0])
    return found


def _whole(x: Array) -> Array:
    means = np.nanmean(np.where(np.isfinite(x), x, np.nan), axis=0)
    return np.where(np.isfinite(x), x, np.nan_to_num(means))


def _classifiers(seed: int) -> dict[str, Callable[[], Any]]:
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def scaled(estimator: Any) -> Any:
        return make_pipeline(StandardScaler(), estimator)

    def xgboost() -> Any:
        from xgboost import XGBClassifier

        return XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1, random_state=seed)

    def lightgbm() -> Any:
        from lightgbm import LGBMClassifier

        return LGBMClassifier(n_estimators=20, n_jobs=1, random_state=seed, verbose=-1)

    return {
        "logistic": lambda: scaled(linear_model.LogisticRegression(max_iter=500)),
        "tree": lambda: tree.DecisionTreeClassifier(random_state=seed),
        "forest": lambda: ensemble.RandomForestClassifier(30, random_state=seed),
        "extra": lambda: ensemble.ExtraTreesClassifier(30, random_state=seed),
        "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=20, random_state=seed),
        "hist": lambda: ensemble.HistGradientBoostingClassifier(max_iter=20, random_state=seed),
        "knn": lambda: scaled(neighbors.KNeighborsClassifier(algorithm="brute")),
        "bayes": naive_bayes.GaussianNB,
        "svc": lambda: scaled(svm.SVC(random_state=seed)),
        "mlp": lambda: scaled(
            neural_network.MLPClassifier((16,), max_iter=60, random_state=seed)
        ),
        "xgboost": xgboost,
        "lightgbm": lightgbm,
    }  # fmt: skip


def _regressors(seed: int) -> dict[str, Callable[[], Any]]:
    from sklearn import ensemble, linear_model, neighbors, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "ridge": lambda: make_pipeline(StandardScaler(), linear_model.Ridge()),
        "tree": lambda: tree.DecisionTreeRegressor(max_depth=6, random_state=seed),
        "forest": lambda: ensemble.RandomForestRegressor(30, random_state=seed),
        "boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=20, random_state=seed),
        "hist": lambda: ensemble.HistGradientBoostingRegressor(max_iter=20, random_state=seed),
        "knn": lambda: make_pipeline(
            StandardScaler(), neighbors.KNeighborsRegressor(algorithm="brute")
        ),
    }


_TREES = ("tree", "forest", "extra", "boosting", "hist", "xgboost", "lightgbm")


def _recipe(rng: np.random.Generator, model: str, task: str) -> str:
    """One to three passes, goals and constraints as people would write them, drawn at random."""
    kind = str(rng.choice(["better", "smaller", "both"]))
    passes: list[str] = []
    if kind != "smaller":
        data = ["clean", "relabel", "features", "select", "augment", "encode"]
        data += ["balance"] if task == "classification" else []
        drawn = rng.choice(data, int(rng.integers(0, 3)), replace=False)
        order = ["clean", "relabel", "encode", "features", "select", "balance", "augment"]
        passes += [f"{{{name}: {{optional: true}}}}" for name in order if name in drawn]
        passes += [str(rng.choice(["tune", "tune", "choose"]))]
    if kind != "better":
        chosen = passes[-1] if passes else ""
        if model in _TREES and chosen != "choose":
            drawn = rng.choice(["trim", "shrink"], int(rng.integers(0, 3)), replace=False)
            passes += [str(name) for name in sorted(drawn, reverse=True)]
        if rng.random() < 0.6 or not passes:
            passes.append("to-onnx")
            if model in ("mlp", "logistic", "ridge") and rng.random() < 0.7:
                passes.append(str(rng.choice(["quantize", "{quantize: {kind: dynamic}}"])))
    goals = {
        "better": ["quality max"], "smaller": ["size min"], "both": ["quality max", "size min"],
    }[kind]  # fmt: skip
    if kind != "better" and rng.random() < 0.15:
        goals.append("latency_p50 min")
    drop = float(rng.choice([0.0, 0.002, 0.005, 0.01]))
    constraints = [f"quality_drop<={drop:g}"] if kind != "better" else []
    return (
        f"name: {kind}\nobjective: [{', '.join(goals)}]\nconstraints: [{', '.join(constraints)}]\n"
        f"seed: {int(rng.integers(1000))}\nbudget: {{trials: {int(rng.integers(2, 6))}, "
        f"seconds: 20}}\npasses: [{', '.join(passes)}]\n"
    )
