"""Estimators that are made of trees: found behind steps, cut, and measured."""

from __future__ import annotations

import copy
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks import framework_of
from modelyard.frameworks.interface import bases_of
from modelyard.optimization.passes.data.learning import hits
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.table import Table
    from modelyard.optimization.state import Model, Subject, Task, Work

__all__ = ["BOOSTING", "FORESTS", "Ensemble", "class_of", "ensemble_in", "rows_to_choose_by"]

Array = np.ndarray[Any, Any]

FORESTS = (
    "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)  # fmt: skip
"""Trees that answer for themselves: any of them can be left out."""
BOOSTING = (
    "GradientBoostingClassifier", "GradientBoostingRegressor", "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor", "XGBClassifier", "XGBRegressor", "XGBRanker", "Booster",
    "LGBMClassifier", "LGBMRegressor", "LGBMRanker",
)  # fmt: skip
"""Trees that correct those before them: the first ones can be kept."""
_MOST_ROWS = 3000
"""By which trees are chosen."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """An object, and the trees in it."""

    obj: Any
    """The whole: the estimator, or a pipeline that ends with it."""
    framework: str
    task: Task

    @property
    def trees(self) -> Any:
        """The estimator that holds the trees."""
        return self.obj.steps[-1][1] if hasattr(self.obj, "steps") else self.obj

    @property
    def is_forest(self) -> bool:
        return not bases_of(self.trees).isdisjoint({
            "sklearn.ensemble._forest.ForestClassifier", "sklearn.ensemble._forest.ForestRegressor",
        })  # fmt: skip

    def __len__(self) -> int:
        """Trees of a forest, rounds of boosting: as many as predictions are made of."""
        trees, name = self.trees, type(self.trees).__name__
        if hasattr(trees, "_predictors"):
            return len(trees._predictors)
        if hasattr(trees, "estimators_"):
            return len(trees.estimators_)
        framework = framework_of(trees).NAME
        if framework == "xgboost":
            booster = trees if name == "Booster" else trees.get_booster()
            best = None if name == "Booster" else booster.attr("best_iteration")
            return int(best) + 1 if best is not None else int(booster.num_boosted_rounds())
        booster = trees if name == "Booster" else trees.booster_
        best = booster.best_iteration
        return int(best) if best > 0 else int(booster.current_iteration())

    def with_trees(self, trees: Any) -> Ensemble:
        """The same around another estimator."""
        if not hasattr(self.obj, "steps"):
            return replace(self, obj=trees)
        whole = copy.copy(self.obj)
        whole.steps = [*self.obj.steps[:-1], (self.obj.steps[-1][0], trees)]
        return replace(self, obj=whole)

    def keeping(self, chosen: Sequence[int]) -> Ensemble:
        """Some trees of a forest, in this order."""
        found = copy.copy(self.trees)
        found.estimators_ = [self.trees.estimators_[at] for at in chosen]
        found.n_estimators = len(chosen)
        for stale in ("oob_score_", "oob_decision_function_", "oob_prediction_"):
            found.__dict__.pop(stale, None)
        return self.with_trees(found)

    def first(self, rounds: int) -> Ensemble:
        """The first rounds of boosting. InvalidInput: `bad-structure`."""
        trees = self.trees
        if not (hasattr(trees, "_predictors") or hasattr(trees, "estimators_")):
            plan = {"keep_trees": [0, rounds]}
            return self.with_trees(framework_of(trees).set_structure(trees, plan, Trust())[0])
        found = copy.copy(trees)
        if hasattr(trees, "_predictors"):
            found._predictors = trees._predictors[:rounds]
            found.max_iter = rounds
            cut = {"train_score_": rounds + 1, "validation_score_": rounds + 1}
        else:
            found.estimators_ = trees.estimators_[:rounds]
            found.n_estimators = found.n_estimators_ = rounds
            cut = {"train_score_": rounds, "oob_improvement_": rounds, "oob_scores_": rounds}
        for name, length in cut.items():
            if isinstance(getattr(found, name, None), np.ndarray | list):
                setattr(found, name, getattr(found, name)[:length])
        return self.with_trees(found)

    def hits(self, rows: Rows) -> Array:
        """How right it is about each row: 1 or 0; of numbers, what it adds to R squared."""
        found = hits(self.obj, rows, self.task)
        if self.task == "classification":
            return found
        assert rows.target is not None
        return 1.0 + found / (float(np.var(rows.target.astype(np.float64))) or 1.0)

    def matrix(self, inputs: Table) -> Array:
        """Rows as they reach the trees of a forest."""
        from modelyard.frameworks.sklearn.inputs import arranged

        rows = arranged(self.obj, inputs)
        if hasattr(self.obj, "steps") and len(self.obj.steps) > 1:
            rows = self.obj[:-1].transform(rows)
        if hasattr(rows, "toarray"):
            rows = rows.astype(np.float32).toarray()  # float64 would be twice as large
        return np.asarray(rows, np.float32)


def class_of(subject: Subject) -> str | None:
    """The class of the estimator, or of a pipeline's last step; None if nobody knows it."""
    name = subject.class_name.rpartition(".")[2]
    if name != "Pipeline":
        return name or None
    steps = [line for line in subject.structure if line[:2] == "  " and line[2:3] != " "]
    return steps[-1].partition(": ")[2].partition(" ")[0] if steps else None


def ensemble_in(model: Model, task: Task, names: tuple[str, ...]) -> Ensemble:
    """Load a model that holds trees.

    Raises:
        Denied: `untrusted`.
        Unsupported: `not-improvable`: it is none of these classes.
    """
    obj = model.load()
    last = obj.steps[-1][1] if hasattr(obj, "steps") else obj
    if type(last).__name__ not in names:
        raise Unsupported(
            "not-improvable", f"a {type(last).__name__} holds no trees that this pass knows",
            hint=f"one of {', '.join(names)}",
        )  # fmt: skip
    classes = hasattr(last, "classes_") or task == "classification"
    return Ensemble(obj, framework_of(obj).NAME, "classification" if classes else "regression")


def rows_to_choose_by(ensemble: Ensemble, work: Work) -> Rows:
    """Rows with a target, 3,000 at most; without one, what the model itself says.

    InvalidInput `no-rows`: there are no rows at all.
    """
    rows = work.valid or work.train
    if rows is None or not len(rows):
        raise InvalidInput(
            "no-rows", "trees are chosen by rows, and there are none",
            hint="give data: --data FILE --target COL",
        )  # fmt: skip
    if len(rows) > _MOST_ROWS:
        rows = rows.take(np.linspace(0, len(rows) - 1, _MOST_ROWS).astype(np.int64))
    if rows.target is not None and work.task != "other":
        return rows
    from modelyard.runtimes import runtime_of

    with closing(runtime_of(ensemble.framework, ensemble.obj, None)) as runtime:
        outputs = runtime.predict(rows.inputs).outputs
    word = "label" if ensemble.task == "classification" else "prediction"
    return Rows(rows.inputs, np.asarray(outputs[word]))
