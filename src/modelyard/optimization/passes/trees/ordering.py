"""In which order the trees of a forest are worth keeping, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.optimization.passes.trees.ensembles import Ensemble
    from modelyard.optimization.state import Rows

__all__ = ["curve_of_forest", "enough", "fewest_rounds", "order_of"]

Array = np.ndarray[Any, Any]

_ROUNDING = 1e-9
_NUMBERS = 40_000_000
"""That the answers of all trees may take together."""


def order_of(ensemble: Ensemble, rows: Rows) -> list[int]:
    """All trees, each next one the one that helps those before it most.

    Greedy forward selection (Caruana et al. 2004, Ensemble selection from libraries of models) by
    the squared error of the mean answer: the Brier score of classes.
    """
    answers, truth = _answers(ensemble, rows)
    return _greedy(answers, truth)


def curve_of_forest(ensemble: Ensemble, rows: Rows) -> tuple[Array, Array]:
    """How right the first trees are by their number, and how right all are, over the same rows.

    Each half of the rows is judged by trees that the other half ordered, so that nobody is judged
    by what they were chosen for. Shapes (trees,) and ().
    """
    answers, truth = _answers(ensemble, rows)
    halves = (np.arange(len(rows)) % 2 == 0, np.arange(len(rows)) % 2 == 1)
    curve = np.zeros(len(answers))
    for chosen_by, judged_by in (halves, halves[::-1]):
        order = _greedy(answers[:, chosen_by], truth[chosen_by])
        total = np.zeros(truth[judged_by].shape)
        for place, at in enumerate(order):
            total = total + answers[at][judged_by]
            found = _hits(total / (place + 1), truth[judged_by], ensemble.task == "classification")
            curve[place] += found.sum()
    curve /= len(rows)
    return curve, curve[-1]


def enough(curve: Array, whole: float, tolerance: float) -> int:
    """The fewest that are as right as all are but for a tolerance.

    What is lost with fewer trees falls like 1 / trees, as the variance of a mean does. A line
    through all numbers of trees tells it better than the luck of one of them; both must agree.
    """
    most = len(curve)
    counts = np.arange(1, most + 1)
    fitted = counts >= max(3, most // 20)
    less = 1 / counts - 1 / most
    slope = float((less * (whole - curve))[fitted].sum() / max((less[fitted] ** 2).sum(), 1e-12))
    for count in range(1, most):
        near = float(curve[count - 1 : count + max(2, count // 4)].mean())
        expected = max(slope, 0.0) * less[count - 1]
        if expected <= tolerance + _ROUNDING and near >= whole - tolerance - _ROUNDING:
            return count
    return most


def fewest_rounds(
    hits: Callable[[int], Array], rounds: int, tolerance: float, tell: Callable[[str], None]
) -> int:
    """The fewest first rounds of boosting that are as right as all are but for a tolerance."""
    whole = float(hits(rounds).mean())
    tried = sorted({round(float(each)) for each in np.geomspace(1, rounds, 18)})
    good = rounds
    for count in reversed(tried[:-1]):
        right = float(hits(count).mean())
        tell(f"the first {count} of {rounds} rounds: {right:.4f}")
        if right < whole - tolerance:
            break
        good = count
    return good


def _answers(ensemble: Ensemble, rows: Rows) -> tuple[Array, Array]:
    """What each tree says, shape (trees, rows, outputs), and the truth, shape (rows, outputs)."""
    assert rows.target is not None
    members = ensemble.trees.estimators_
    classes = getattr(ensemble.trees, "classes_", None)
    width = 1 if classes is None else len(classes)
    most = max(100, _NUMBERS // (len(members) * width))
    rows = rows.take(slice(0, most))
    assert rows.target is not None
    matrix = ensemble.matrix(rows.inputs)
    if classes is None:
        answers = np.stack([each.predict(matrix).reshape(len(rows), -1) for each in members])
        return answers, rows.target.astype(np.float64).reshape(len(rows), -1)
    answers = np.stack([each.predict_proba(matrix) for each in members])
    return answers, _one_hot(rows.target, classes)


def _one_hot(target: Array, classes: Sequence[Any]) -> Array:
    numbers = target.dtype.kind in "biuf" and np.asarray(classes).dtype.kind in "biuf"
    found = [target == each if numbers else target.astype(str) == str(each) for each in classes]
    return np.column_stack(found).astype(np.float64)


def _greedy(answers: Array, truth: Array) -> list[int]:
    """By the products of all errors with each other: each choice then takes no look at rows."""
    errors = (answers - truth).reshape(len(answers), -1)
    products = errors @ errors.T
    left = np.ones(len(answers), bool)
    with_chosen, among = np.zeros(len(answers)), 0.0
    order: list[int] = []
    while left.any():
        total = among + 2 * with_chosen + np.diagonal(products)
        at = int(np.where(left, total, np.inf).argmin())
        among = float(total[at])
        with_chosen = with_chosen + products[at]
        left[at] = False
        order.append(at)
    return order


def _hits(mean: Array, truth: Array, classes: bool) -> Array:
    if classes:
        found: Array = mean.argmax(axis=1) == truth.argmax(axis=1)
        found &= truth.max(axis=1) > 0
        return found
    error = ((mean - truth) ** 2).mean(axis=1)
    return np.asarray(1.0 - error / (float(np.var(truth)) or 1.0))
