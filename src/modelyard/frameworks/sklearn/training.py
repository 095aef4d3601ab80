"""Fitting an estimator again, on a copy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.sklearn.inputs import arranged
from modelyard.frameworks.sklearn.solvers import last_step

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["fit"]

_IN_PASSES = ("SGD", "MLP", "Perceptron", "PassiveAggressive")
"""Beginnings of the names of classes whose `max_iter` counts passes over the data."""


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """A fitted copy; the given estimator stays as it is.

    Training starts anew, as scikit-learn's `fit` does. Inputs are arranged as `inputs.arranged`
    says. `seed` serves wherever `random_state` is None; the parameter itself stays None.

    Args:
        target: Shape (rows,) or (rows, targets); None for what learns without one.
        epochs: Passes over the data, for SGD, MLP, Perceptron: they stop earlier by themselves.

    Raises:
        InvalidInput: `no-epochs`: it does not learn in passes; `not-fittable`: scikit-learn
            refuses the data; `no-column`, `not-numeric`.
    """
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    rows = arranged(obj, inputs)
    try:
        fresh = clone(obj)
    except (RuntimeError, TypeError) as error:
        raise _refused(obj, error) from error
    before = _lent(fresh, epochs, seed)
    try:
        with warnings.catch_warnings():
            if epochs is not None:  # that it could go on is what was asked for
                warnings.simplefilter("ignore", ConvergenceWarning)
            fresh.fit(rows) if target is None else fresh.fit(rows, target)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _refused(obj, error) from error
    for owner, name, value in before:
        owner.set_params(**{name: value})
    return fresh


def _lent(fresh: Any, epochs: int | None, seed: int) -> list[tuple[Any, str, Any]]:
    """Set what only this fit needs; give what to restore."""
    before: list[tuple[Any, str, Any]] = []
    for name, value in fresh.get_params(deep=True).items():
        if name.rpartition("__")[2] == "random_state" and value is None:
            before.append((fresh, name, None))
    if epochs is not None:
        inner = last_step(fresh)
        if not type(inner).__name__.startswith(_IN_PASSES) or "max_iter" not in inner.get_params():
            raise InvalidInput(
                "no-epochs", f"a {type(inner).__name__} does not learn in passes over the data",
                hint="leave epochs out; some have max_iter or n_estimators as a parameter",
            )  # fmt: skip
        before.append((inner, "max_iter", inner.get_params()["max_iter"]))
        inner.set_params(max_iter=epochs)
    for _, name, _ in before:
        if name.rpartition("__")[2] == "random_state":
            fresh.set_params(**{name: seed})
    return before


def _refused(obj: Any, error: Exception) -> InvalidInput:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return InvalidInput(
        "not-fittable", f"{type(obj).__name__} can't be fitted on this: {printable(text, 300)}",
        hint="look at the columns and the target, or commit a pipeline that prepares them",
    )  # fmt: skip
