"""Rows as an estimator wants them: a frame, a matrix, or a list of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.sklearn.steps import is_estimator, is_pipeline

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["arranged", "feature_names"]


def feature_names(obj: Any) -> tuple[str, ...] | None:
    """Names of the columns that it was fitted with; None if it takes them by position."""
    names = getattr(obj, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)


def arranged(obj: Any, table: Table) -> Any:
    """What `fit` and `predict` are given.

    - Fitted with a frame: a frame of those columns, found by name.
    - Fitted without names: a matrix of all columns in their order.
    - Not fitted yet: a frame, so that it learns the names; a matrix if pandas is not installed and
      all columns are numbers, or if a column has more axes than one.
    - Takes documents (a text vectorizer, or a pipeline that begins with one): the one column.

    Raises:
        InvalidInput: `no-column`, `not-numeric`.
    """
    names = feature_names(obj)
    if names is not None:
        return table.arranged(names)
    columns = list(table.columns.values())
    texts = any(column.dtype.kind not in "biuf" for column in columns)
    tags = _input_tags(obj)
    if len(columns) == 1 and getattr(tags, "string", False) and not tags.two_d_array:
        return columns[0]
    if not hasattr(obj, "n_features_in_") and all(column.ndim == 1 for column in columns):
        return table.frame() if texts or _has_pandas() else table.matrix()
    if texts and getattr(tags, "categorical", False):
        return np.column_stack([column.astype(object) for column in columns])
    return table.matrix()


def _input_tags(obj: Any) -> Any:
    """What the first step of nested pipelines takes; pipelines don't tell all of it."""
    from sklearn.utils import get_tags

    while is_pipeline(obj) and obj.steps and is_estimator(obj.steps[0][1]):
        obj = obj.steps[0][1]
    try:
        return get_tags(obj).input_tags
    except (AttributeError, TypeError, ValueError):  # classes of others need not have tags
        return None


def _has_pandas() -> bool:
    from importlib.util import find_spec

    return find_spec("pandas") is not None
