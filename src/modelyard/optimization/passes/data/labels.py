"""Labels that are likely to be wrong, found without a model of anyone's: for a look at data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from modelyard.core.extras import need
from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.data_facts import Doubt
from modelyard.optimization.passes.data.encoding import column_encoder
from modelyard.optimization.passes.data.learning import Learner
from modelyard.optimization.passes.data.relabel import doubtful
from modelyard.optimization.passes.data.rows import sampled
from modelyard.optimization.state import Rows

__all__ = ["MOST_JUDGED", "doubted_labels"]

Array = np.ndarray[Any, Any]

MOST_JUDGED = 5000
"""Rows whose labels are looked at; all others are not judged."""
_MOST_DOUBTS = 1000
_MOST_CLASSES = 100


def doubted_labels(
    rows: Rows, without: set[str], seed: int
) -> tuple[tuple[Doubt, ...], float] | None:
    """Labels that a linear model and a forest together find wrong; None if they can't learn.

    Args:
        without: Columns that tell the target alone: they would only agree with it.
    """
    assert rows.target is not None
    drawn = sampled(len(rows), MOST_JUDGED, seed)
    names = [name for name in rows.inputs.names if name not in without]
    counts = np.unique(rows.target.astype(str), return_counts=True)[1]
    if not names or len(counts) < 2 or len(counts) > _MOST_CLASSES or counts.min() < 3:
        return None
    inputs = _finite(rows.inputs.select(names).take(drawn))
    labels = rows.target[drawn]
    taken = Rows(inputs, labels)
    try:
        learner = _judge(taken, seed)
        if learner is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it could learn on: it judges well enough
            found = doubtful(learner, taken, seed)
    except (InvalidInput, Unsupported):  # a look at data goes on without judging its labels
        return None
    if found is None:
        return None
    classes = np.unique(labels.astype(str))
    said = tuple(
        Doubt(row=int(drawn[row]), label=str(labels[row]),
              instead=str(classes[instead]), margin=round(float(margin), 4))
        for row, instead, margin in zip(found.rows, found.instead, found.margins, strict=True)
    )  # fmt: skip
    return said[:_MOST_DOUBTS], found.share


def _finite(table: Table) -> Table:
    """What is infinite counts as missing: no estimator takes it."""
    return Table({
        name: np.where(np.isinf(column), np.nan, column) if column.dtype.kind == "f" else column
        for name, column in table.columns.items()
    })  # fmt: skip


def _judge(rows: Rows, seed: int) -> Learner | None:
    """What tells how likely the classes are. Unsupported: `no-extra`."""
    linear = need("sklearn.linear_model", "optimize")
    ensemble = need("sklearn.ensemble", "optimize")
    pipeline = need("sklearn.pipeline", "optimize")
    table = rows.inputs
    if any(column.ndim > 1 for column in table.columns.values()):
        if any(column.dtype.kind not in "biuf" for column in table.columns.values()):
            return None
        preprocessing = need("sklearn.preprocessing", "optimize")
        first: Any = preprocessing.StandardScaler()
    else:
        first = column_encoder(table, task="classification", scale=True, seed=seed)
        if not first.transformers:
            return None
    both = ensemble.VotingClassifier([
        ("linear", linear.LogisticRegression(max_iter=300)),
        ("forest", ensemble.RandomForestClassifier(60, min_samples_leaf=2, random_state=seed)),
    ], voting="soft")  # fmt: skip
    obj = pipeline.Pipeline([("columns", first), ("model", both)])
    return Learner(obj, "sklearn", table.names)
