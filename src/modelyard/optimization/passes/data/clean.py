"""`clean`: missing values filled, copies of rows and values far out left out of learning.

Filling becomes a step of the saved model, as requests lack values too. Rows are left out in
learning only: what the model is measured with stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.core.listing import listed
from modelyard.optimization.passes.data.columns import is_one, of_kind
from modelyard.optimization.passes.data.learning import (
    chosen,
    learner_of,
    require_target,
    why_not_tables,
)
from modelyard.optimization.passes.data.outcome import made_by, nothing
from modelyard.optimization.passes.data.rows import codes_of, is_missing, row_groups
from modelyard.optimization.passes.data.steps import filled
from modelyard.optimization.passes.interface import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.table import Table
    from modelyard.optimization.passes.data.learning import Learner
    from modelyard.optimization.passes.interface import Made, Option
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["PASS", "copies", "far_out"]

Array = np.ndarray[Any, Any]

_FILLS = ("median", "mean", "most_frequent", "neighbours", "keep")
_MOST_NEIGHBOURS = 5000
"""Rows above which neighbours are no longer looked for among all of them, unless a recipe asks."""
_FAR = 10.0
"""Times the distance from the median to the quartiles."""


class Clean:
    """See the module."""

    NAME = "clean"
    KIND = "data"
    LINEAGE = "tuned-from"
    SUMMARY = "fills what is missing, and learns without copies of rows and values far out"

    def why_not(self, subject: Subject) -> str | None:
        return why_not_tables(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`missing`: how numbers are filled; `copies` and `outliers`: `drop` them, or `keep`."""
        found: dict[str, Option] = {
            "copies": Choice(("drop", "keep")), "outliers": Choice(("keep", "drop")),
        }  # fmt: skip
        if subject.framework == "sklearn":
            slow = subject.rows > _MOST_NEIGHBOURS
            found["missing"] = Choice(tuple(f for f in _FILLS if f != "neighbours" or not slow))
        return found

    def run(self, model: Model, params: Mapping[str, Any], work: Work) -> Made:
        train = require_target(work)
        learner = learner_of(model)
        fill = chosen(params, "missing", ("keep", *_FILLS[:-1]))
        inputs = learner.inputs(train.inputs)
        lacking = [name for name, c in inputs.columns.items() if is_missing(c).any()]
        asked = fill != "keep" and learner.framework == "sklearn"
        fillings = _fillings(fill, learner, inputs) if asked else {}
        fills = any(set(names) & set(lacking) for names in fillings.values())
        no_copies, no_outliers = (
            chosen(params, name, ("keep", "drop")) == "drop" for name in ("copies", "outliers")
        )
        what = _Left(no_copies, no_outliers, learner)
        kept = what.kept(train)
        left = len(train) - int(kept.sum())
        if not fills and not left:
            if lacking:
                return nothing(f"what is missing in {_shown(lacking)} stays; no row is left out")
            return nothing("no value is missing, no row is there twice, and none is far out")

        def build(rows: Rows, _seed: int) -> tuple[Any, Rows]:
            obj = learner.obj
            if fills:
                obj = filled(obj, _filler(fill, learner, fillings))
            return obj, rows.take(what.kept(rows))

        notes = _notes(fill, fillings, lacking) if fills else []
        if left:
            notes.append(f"{left:,} of {len(train):,} rows are left out of learning")
        return made_by(model, learner, build, work, notes=notes)


class _Left:
    """Which rows are learned from."""

    def __init__(self, copies_go: bool, outliers_go: bool, learner: Learner) -> None:
        self._copies = copies_go
        self._outliers = outliers_go
        self._learner = learner

    def kept(self, rows: Rows) -> Array:
        inputs = self._learner.inputs(rows.inputs)
        kept = np.ones(len(rows), bool)
        if self._copies:
            kept &= ~copies(inputs, rows.target)
        if self._outliers:
            kept &= ~far_out(inputs)
        enough = kept.sum() >= max(10, len(rows) // 2)
        return kept if enough else np.ones(len(rows), bool)


def copies(inputs: Table, target: Array | None) -> Array:
    """Which rows say nothing new, shape (rows,): equal ones but for the first.

    Of equal rows with different targets all go but for those with the most frequent target.
    """
    groups = row_groups(inputs)
    found = np.ones(len(groups), bool)
    if target is None:
        found[np.unique(groups, return_index=True)[1]] = False
        return found
    labels = codes_of(target)
    _, first, counts = np.unique(
        groups * (labels.max(initial=0) + 1) + labels, return_index=True, return_counts=True
    )
    order = np.lexsort((first, -counts, groups[first]))
    best = order[np.unique(groups[first][order], return_index=True)[1]]
    found[first[best]] = False
    return found


def far_out(inputs: Table) -> Array:
    """Which rows hold a number very far from the others of its column, shape (rows,).

    Ten times as far from the median as the quartile of its side: of normal values none in a
    million rows, of lognormal ones a few in ten thousand.
    """
    found = np.zeros(len(inputs), bool)
    for name in of_kind(inputs, "number"):
        column = inputs.columns[name].astype(np.float64)
        known = column[np.isfinite(column)]
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        below, above = middle - low, high - middle
        if below > 0 and above > 0:
            with np.errstate(invalid="ignore"):
                found |= (column < middle - _FAR * below) | (column > middle + _FAR * above)
    return found


def _fillings(fill: str, learner: Learner, inputs: Table) -> dict[str, list[str]]:
    """Numbers, which are filled as asked, and categories, by their most frequent value.

    A category that is one value or nothing stays so: filled it would say nothing.
    """
    if not learner.is_named:
        return {"numbers": list(inputs.names)}
    # what takes the most frequent one takes no flags, of which none is missing
    plain = "iuf" if fill == "most_frequent" else "biuf"
    texts = of_kind(inputs, "category")
    found = {
        "numbers": [name for name, c in inputs.columns.items() if c.dtype.kind in plain],
        "categories": [name for name in texts if not is_one(inputs.columns[name])],
    }
    return {name: columns for name, columns in found.items() if columns}


def _notes(fill: str, filled: Mapping[str, list[str]], lacking: list[str]) -> list[str]:
    """What is filled how, and what is not."""
    notes = []
    for part, names in filled.items():
        if found := [name for name in names if name in lacking]:
            how = fill if part == "numbers" else "most_frequent"
            notes.append(f"values are missing in {_shown(found)}: filled by {how}")
    known = {name for names in filled.values() for name in names}
    if left := [name for name in lacking if name not in known]:
        notes.append(f"values are missing in {_shown(left)}: not filled")
    return notes


def _shown(names: list[str]) -> str:
    return listed(names, 5)


def _filler(fill: str, learner: Learner, columns: Mapping[str, list[str]]) -> Any:
    """A step that fills numbers; of text it takes the most frequent value."""
    impute = need("sklearn.impute", "optimize")
    if fill == "neighbours":
        numbers = impute.KNNImputer(keep_empty_features=True)
    else:
        numbers = impute.SimpleImputer(strategy=fill, keep_empty_features=True)
    if not learner.is_named:
        return numbers
    compose = need("sklearn.compose", "optimize")
    common = impute.SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    steps = {"numbers": numbers, "categories": common}
    # frames, as what comes next may look for columns by their names
    return compose.ColumnTransformer(
        [(part, steps[part], names) for part, names in columns.items()],
        remainder="passthrough", verbose_feature_names_out=False,
    ).set_output(transform="pandas")  # fmt: skip


PASS = Clean()
