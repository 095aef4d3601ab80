"""Algorithms that are worth a try on rows of columns, by task and size of the data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.optimization.passes.data.rows import folds, groups_of, is_made, sampled
from modelyard.optimization.passes.tables.fitting import fitted, scored
from modelyard.optimization.passes.tables.preparing import columns_of, prepared
from modelyard.optimization.passes.tables.spaces import space_of
from modelyard.optimization.values import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.passes.tables.preparing import Columns
    from modelyard.optimization.state import Rows, Task, Work

__all__ = [
    "Algorithm",
    "algorithms",
    "built",
    "candidates_of",
    "compared",
    "firsts_of",
    "options_of",
    "usable",
]

Json = Any

_LARGE = 3_000
"""Rows from which boosting is tried first."""
_COMPARED = 5_000
"""Rows by which algorithms are compared, at most."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One kind of model for each task."""

    name: str
    classification: tuple[str, Mapping[str, Json]] | None
    """Class, and what is not as the library has it."""
    regression: tuple[str, Mapping[str, Json]] | None
    most: int = 10_000_000
    """Rows that it can learn in reasonable time."""
    scaled: bool = False
    """Whether numbers are brought to one scale before."""
    takes_gaps: bool = False
    alone: bool = False
    """Whether it takes only numbers, and no steps before it."""

    def of(self, task: Task) -> tuple[str, Mapping[str, Json]] | None:
        return self.classification if task == "classification" else self.regression


_BOUND = {"max_iter": 100_000}  # some kernels never come to an end
_BRUTE = {"algorithm": "brute"}  # files that hold trees of neighbours load only with trust
_ONE = {"n_jobs": 1}
_QUIET = {"verbosity": -1, "n_jobs": 1}
_ALGORITHMS = (
    Algorithm(
        "linear", ("sklearn.linear_model.LogisticRegression", {"max_iter": 2000}),
        ("sklearn.linear_model.Ridge", {}), scaled=True,
    ),
    Algorithm(
        "svm", ("sklearn.svm.SVC", _BOUND), ("sklearn.svm.SVR", _BOUND), most=4_000, scaled=True,
    ),
    Algorithm(
        "extra", ("sklearn.ensemble.ExtraTreesClassifier", {}),
        ("sklearn.ensemble.ExtraTreesRegressor", {}), most=200_000,
    ),
    Algorithm(
        "forest", ("sklearn.ensemble.RandomForestClassifier", {}),
        ("sklearn.ensemble.RandomForestRegressor", {}), most=200_000,
    ),
    Algorithm(
        "boosting", ("sklearn.ensemble.HistGradientBoostingClassifier", {"early_stopping": False}),
        ("sklearn.ensemble.HistGradientBoostingRegressor", {"early_stopping": False}),
        takes_gaps=True,
    ),
    Algorithm(
        "xgboost", ("xgboost.XGBClassifier", _ONE), ("xgboost.XGBRegressor", _ONE),
        takes_gaps=True, alone=True,
    ),
    Algorithm(
        "lightgbm", ("lightgbm.LGBMClassifier", _QUIET), ("lightgbm.LGBMRegressor", _QUIET),
        takes_gaps=True, alone=True,
    ),
    Algorithm(
        "network", ("sklearn.neural_network.MLPClassifier", {"max_iter": 300}),
        ("sklearn.neural_network.MLPRegressor", {"max_iter": 500}), most=50_000, scaled=True,
    ),
    Algorithm(
        "neighbours", ("sklearn.neighbors.KNeighborsClassifier", _BRUTE),
        ("sklearn.neighbors.KNeighborsRegressor", _BRUTE), most=20_000, scaled=True,
    ),
    Algorithm(
        "tree", ("sklearn.tree.DecisionTreeClassifier", {}),
        ("sklearn.tree.DecisionTreeRegressor", {}),
    ),
    Algorithm("bayes", ("sklearn.naive_bayes.GaussianNB", {}), None),
)  # fmt: skip
_WHEN_LARGE = ("lightgbm", "xgboost", "boosting", "forest", "extra", "linear")


def algorithms(task: Task, rows: int) -> list[Algorithm]:
    """Those that fit, the likeliest first: on few rows smooth ones, on many rows boosting."""
    found = [
        each for each in _ALGORITHMS
        if (which := each.of(task)) is not None and rows <= each.most
        and find_spec(which[0].partition(".")[0]) is not None
    ]  # fmt: skip
    if rows >= _LARGE:
        order = {name: at for at, name in enumerate(_WHEN_LARGE)}
        found.sort(key=lambda each: order.get(each.name, len(order)))
    return found


def options_of(
    found: Sequence[Algorithm], task: Task, *, columns: int, rows: int
) -> dict[str, Option]:
    """Options of each under its name: `forest.max_depth`."""
    options: dict[str, Option] = {}
    for each in found:
        which = each.of(task)
        assert which is not None
        space = space_of(which[0], columns=columns, rows=rows)
        options |= {f"{each.name}.{name}": option for name, option in space.items()}
    return options


def usable(algorithm: Algorithm, columns: Columns, rows: Rows, task: Task) -> bool:
    """Whether it can take these columns and this target."""
    if algorithm.alone and not (columns.plain and columns.numbers):
        return False
    if algorithm.name == "xgboost" and task == "classification":
        target = rows.target
        if target is None or target.dtype.kind not in "iu":
            return False
        return bool(np.array_equal(np.unique(target), np.arange(int(target.max()) + 1)))
    return True


def built(algorithm: Algorithm, task: Task, columns: Columns, params: Mapping[str, Json]) -> Any:
    """An estimator that is not fitted, with what it needs before it.

    Args:
        params: Hyper-parameters by the names of `options_of`, without the algorithm's.

    Raises:
        InvalidInput: `bad-pass-option`: the estimator refuses them.
    """
    from importlib import import_module

    which = algorithm.of(task)
    assert which is not None
    module, _, cls = which[0].rpartition(".")
    estimator = getattr(import_module(module), cls)(**which[1])
    unknown = sorted(set(params) - set(estimator.get_params(deep=False)))
    if unknown:
        raise InvalidInput(
            "bad-pass-option", f"{algorithm.name} has no option {unknown[0]!r:.60}",
            hint=f"there are {', '.join(sorted(space_of(cls, columns=1, rows=0)))}",
        )  # fmt: skip
    estimator.set_params(**params)
    if algorithm.name == "svm" and task == "classification":
        from sklearn.calibration import CalibratedClassifierCV

        estimator = CalibratedClassifierCV(estimator, ensemble=False, cv=3)  # for probabilities
    elif algorithm.name in ("svm", "network") and task == "regression":
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler

        estimator = TransformedTargetRegressor(estimator, transformer=StandardScaler())
    return prepared(estimator, columns, scaled=algorithm.scaled, takes_gaps=algorithm.takes_gaps)


def compared(
    candidates: Mapping[str, Any], rows: Rows, work: Work, *, count: int
) -> Iterator[tuple[str, float]]:
    """Each candidate's mean score over folds of at most 5,000 of the rows: higher is better.

    What can't be fitted on a fold is left out. Rows that were made of others are learned from
    where those are, and nothing is measured with them.
    """
    rows = rows.take(sampled(len(rows), _COMPARED, work.seed))
    real = ~is_made(rows)
    drawn = folds(groups_of(rows), rows.target, work.task, count=count, seed=work.seed)
    parts = [(inside, outside[real[outside]]) for inside, outside in drawn]
    for name, estimator in candidates.items():
        scores = []
        try:
            for inside, outside in parts:
                if not len(outside):
                    continue
                found = fitted(estimator, rows.take(inside), work.seed)
                scores.append(scored(found, rows.take(outside), work.task))
        except ModelyardError:
            continue
        if scores:
            work.tell(f"compare {name}", None)
            yield name, float(np.mean(scores))


def firsts_of(algorithm: Algorithm, task: Task, rows: Rows) -> dict[str, Json]:
    """The first of each of its options, by names without the algorithm's."""
    options = options_of([algorithm], task, columns=len(rows.inputs.names), rows=len(rows))
    return {
        name.removeprefix(f"{algorithm.name}."): first_of(option)
        for name, option in options.items()
    }


def candidates_of(rows: Rows, task: Task) -> dict[str, Any]:
    """Every usable algorithm with the first of each of its options."""
    columns = columns_of(rows.inputs)
    return {
        each.name: built(each, task, columns, firsts_of(each, task, rows))
        for each in algorithms(task, len(rows))
        if usable(each, columns, rows, task)
    }
