"""`balance`: rare classes count as much as frequent ones in learning."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.optimization.passes.data.columns import of_kind
from modelyard.optimization.passes.data.learning import (
    chosen,
    last_of,
    learner_of,
    require_target,
    why_not_tables,
)
from modelyard.optimization.passes.data.outcome import made_by, nothing
from modelyard.optimization.passes.data.rows import codes_of, repeated, sampled
from modelyard.optimization.passes.interface import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.interface import Made, Option
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["PASS", "over_sampled", "smote", "under_sampled"]

Array = np.ndarray[Any, Any]

_METHODS = ("weights", "over", "smote", "under")
_METRICS = ("balanced_accuracy", "accuracy")
_NEIGHBOURS = 5
_MOST = 5000
"""Rows of a class among which neighbours are looked for."""
_EVEN = 0.8
"""The rarest class by the most frequent one, above which there is nothing to balance."""


class Balance:
    """See the module."""

    NAME = "balance"
    KIND = "data"
    LINEAGE = "tuned-from"
    SUMMARY = "lets rare classes count as much as frequent ones, by weights or by rows"

    def why_not(self, subject: Subject) -> str | None:
        if subject.has_target and subject.task != "classification":
            return "it is for classification"
        return why_not_tables(subject, going_on=True)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`method`: `weights` of classes, `over`: rows of rare classes come again, `smote`: new
        ones are made between them, `under`: rows of frequent classes are left out.

        A recipe may name `metric` too, by which it is judged: `balanced_accuracy` (the default), as
        plain accuracy is mostly that of the frequent classes; or `accuracy`.
        """
        methods = _METHODS if subject.framework == "sklearn" else _METHODS[1:]
        return {"method": Choice(methods)}

    def run(self, model: Model, params: Mapping[str, Any], work: Work) -> Made:
        train = require_target(work)
        learner = learner_of(model)
        method, metric = chosen(params, "method", _METHODS), chosen(params, "metric", _METRICS)
        counts = np.bincount(codes_of(np.asarray(train.target)))
        if counts.min() >= _EVEN * counts.max():
            return nothing("the classes are about as frequent as each other")
        notes = [f"the rarest class has {counts.min():,} rows, the most frequent {counts.max():,}"]
        if method == "weights" and not _takes_weights(learner.obj):
            method = "over"
            notes.append(f"a {type(last_of(learner.obj)).__name__} takes no weights of classes: "
                         "rows come again instead")  # fmt: skip

        def build(rows: Rows, seed: int) -> tuple[Any, Rows]:
            if method == "weights":
                return _weighted(learner.obj), rows
            make = {"over": over_sampled, "smote": smote, "under": under_sampled}[method]
            return learner.obj, make(rows, seed)

        return made_by(model, learner, build, work, metric=metric, notes=notes)


def over_sampled(rows: Rows, seed: int) -> Rows:
    """Rows of rare classes come again until all classes are as frequent as the most frequent."""
    return repeated(rows, _wanted(rows, seed))


def under_sampled(rows: Rows, seed: int) -> Rows:
    """Rows of frequent classes are left out until all are as rare as the rarest."""
    codes = codes_of(np.asarray(rows.target))
    fewest = np.bincount(codes).min()
    chance = np.random.default_rng(seed)
    kept = [
        chance.choice(np.flatnonzero(codes == code), fewest, replace=False)
        for code in range(codes.max() + 1)
    ]
    return rows.take(np.sort(np.concatenate(kept)))


def smote(rows: Rows, seed: int) -> Rows:
    """New rows of rare classes, each between one of them and one of its five nearest.

    Numbers lie between the two, by chance; other columns are those of the first (Chawla 2002,
    "SMOTE: synthetic minority over-sampling technique"; other columns as its SMOTE-NC has it, in
    short). Rows with missing numbers just come again.
    """
    wanted = _wanted(rows, seed)
    if not len(wanted):
        return rows
    names = of_kind(rows.inputs, "number")
    if not names:
        return over_sampled(rows, seed)
    numbers = np.column_stack([rows.inputs.columns[n].astype(np.float64) for n in names])
    deviation = np.nanstd(numbers, axis=0)
    scaled = (numbers - np.nanmean(numbers, axis=0)) / np.where(deviation > 0, deviation, 1.0)
    lacking = np.isnan(scaled).any(axis=1)
    chance = np.random.default_rng(seed + 1)
    codes = codes_of(np.asarray(rows.target))
    partner = wanted.copy()
    for code in np.unique(codes[wanted]):
        own = np.flatnonzero((codes == code) & ~lacking)
        own = own[sampled(len(own), _MOST, seed)]
        mine = np.flatnonzero((codes[wanted] == code) & ~lacking[wanted])
        if len(own) > 1 and len(mine):
            partner[mine] = _near(scaled, own, wanted[mine], chance)
    far = chance.random((len(wanted), 1))
    made = numbers[wanted] + far * (numbers[partner] - numbers[wanted])
    found = repeated(rows, wanted)
    columns = dict(found.inputs.columns)
    for place, name in enumerate(names):
        column = columns[name].copy()
        values = made[:, place]
        if column.dtype.kind in "iu":
            given = rows.inputs.columns[name]
            column[len(rows) :] = _whole(values, given[wanted], given[partner])
        else:
            column[len(rows) :] = values
        columns[name] = column
    return replace(found, inputs=Table(columns))


def _whole(values: Array, one: Array, other: Array) -> Array:
    """Values as whole numbers between two; near 2^63 a float would be more than fits."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    rounded = np.rint(values)
    below, above = rounded <= low.astype(np.float64), rounded >= high.astype(np.float64)
    inside = np.where(below | above, 0.0, rounded).astype(one.dtype)
    return np.where(below, low, np.where(above, high, inside))


def _near(scaled: Array, own: Array, wanted: Array, chance: np.random.Generator) -> Array:
    """For each wanted row one of its nearest of the same class, drawn."""
    found = np.empty(len(wanted), np.int64)
    squares = np.square(scaled[own]).sum(axis=1)
    most = min(_NEIGHBOURS, len(own) - 1)
    for begin in range(0, len(wanted), 1000):
        part = wanted[begin : begin + 1000]
        far = squares - 2 * scaled[part] @ scaled[own].T
        far[own[None, :] == part[:, None]] = np.inf
        nearest = np.argsort(far, axis=1, kind="stable")[:, :most]
        drawn = chance.integers(0, most, len(part))
        found[begin : begin + len(part)] = own[nearest[np.arange(len(part)), drawn]]
    return found


def _wanted(rows: Rows, seed: int) -> Array:
    """Indices of rows that are to come again, class by class."""
    codes = codes_of(np.asarray(rows.target))
    counts = np.bincount(codes)
    chance = np.random.default_rng(seed)
    found = [np.empty(0, np.int64)]
    for code, count in enumerate(counts):
        more = counts.max() - count
        own = np.flatnonzero(codes == code)
        whole, rest = divmod(int(more), int(count))
        found += [np.tile(own, whole), chance.choice(own, rest, replace=False)]
    return np.concatenate(found)


def _takes_weights(obj: Any) -> bool:
    last = last_of(obj)
    return hasattr(last, "get_params") and "class_weight" in last.get_params(deep=False)


def _weighted(obj: Any) -> Any:
    from sklearn.base import clone

    found = clone(obj)
    last_of(found).set_params(class_weight="balanced")
    return found


PASS = Balance()
