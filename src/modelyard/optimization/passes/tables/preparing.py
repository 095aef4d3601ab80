"""Columns as algorithms need them: encoded, filled and scaled by the object that is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import Unsupported
from modelyard.optimization.passes.data.rows import is_missing

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["Columns", "columns_of", "prepared"]

_KINDS = 0.2
"""A column of text is taken for categories if at most this share of its values differ."""
_MOST_KINDS = 200


@dataclass(frozen=True, slots=True)
class Columns:
    """Names by what can be done with them."""

    numbers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Text of few values."""
    texts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Times, and text with gaps: other passes make something of them."""
    gaps: bool = False
    """Whether numbers are missing."""

    @property
    def plain(self) -> bool:
        """Whether there is nothing but numbers."""
        return not (self.kinds or self.texts or self.left_out)


def columns_of(inputs: Table) -> Columns:
    """Look at every column. Unsupported `not-improvable`: a column has axes of its own."""
    numbers, kinds, texts, left_out = [], [], [], []
    gaps = False
    for name, column in inputs.columns.items():
        if column.ndim > 2 or (column.ndim == 2 and len(inputs.names) > 1):
            raise Unsupported(
                "not-improvable", f"{name!r} has {column.ndim - 1} axes: no algorithm for tables "
                "takes it", hint="networks do: recipes with finetune, prune, quantize",
            )  # fmt: skip
        missing = is_missing(column)
        if column.dtype.kind in "biuf":
            numbers.append(name)
            gaps = gaps or bool(missing.any())
        elif column.dtype.kind not in "OU":
            left_out.append(name)
        else:
            different = len(set(column[~missing].tolist()))
            if different <= min(_MOST_KINDS, max(_KINDS * len(column), 2)):
                kinds.append(name)
            elif missing.any():
                left_out.append(name)
            else:
                texts.append(name)
    return Columns(tuple(numbers), tuple(kinds), tuple(texts), tuple(left_out), gaps)


def prepared(estimator: Any, columns: Columns, *, scaled: bool, takes_gaps: bool) -> Any:
    """The estimator, or a pipeline that ends in it as `model`, for rows with these columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    filled = [("fill", SimpleImputer(strategy="median", add_indicator=True))]
    numeric = filled if columns.gaps and not takes_gaps else []
    numeric = [*numeric, ("scale", StandardScaler())] if scaled else numeric
    if columns.plain:
        return Pipeline([*numeric, ("model", estimator)]) if numeric else estimator
    parts: list[tuple[str, Any, Any]] = []
    if columns.numbers:
        steps = Pipeline(numeric) if numeric else "passthrough"
        parts.append(("numbers", steps, list(columns.numbers)))
    if columns.kinds:
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=2, sparse_output=False,
            dtype=np.float64,
        )  # fmt: skip
        parts.append(("kinds", encoder, list(columns.kinds)))
    for at, name in enumerate(columns.texts):
        parts.append((f"text{at}", TfidfVectorizer(max_features=2000), name))
    if not parts:
        raise Unsupported(
            "not-improvable", "no column can be learned from", hint="the pass encode makes some"
        )
    table = ColumnTransformer(parts, sparse_threshold=0.0)
    return Pipeline([("columns", table), ("model", estimator)])
