"""Rows of named columns: what models are fitted, asked and measured with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Table"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name. The first axis of each is the row; most are one-dimensional.

    Numbers come as bool, int64, float32 or float64 (missing: NaN), text as object arrays of `str`
    (missing: None), times as datetime64. A column of an NPZ file may have more axes: pictures,
    embeddings.
    """

    columns: Mapping[str, Array]

    @classmethod
    def of(cls, value: Any) -> Table:
        """A table of what people hold: a table, frame, mapping of columns, or array.

        An array becomes one column named `data`, whose matrix is the array itself.

        Raises:
            InvalidInput: `bad-data`: it is none of these.
        """
        if isinstance(value, Table):
            return value
        if isinstance(value, dict):
            return cls({str(name): np.asarray(column) for name, column in value.items()})
        if hasattr(value, "columns") and hasattr(value, "iloc"):
            return cls({str(name): _column(value[name]) for name in value.columns})
        array = np.asarray(value)
        if array.ndim == 0 or array.dtype.kind not in "biufOU":
            raise InvalidInput(
                "bad-data", f"a {type(value).__name__} holds no rows",
                hint="give an array, a DataFrame, or columns by name",
            )  # fmt: skip
        return cls({"data": array})

    def __post_init__(self) -> None:
        if not self.columns:
            raise InvalidInput("no-columns", "the data has no columns")
        rows = {len(column) for column in self.columns.values()}
        if len(rows) > 1:
            raise InvalidInput("ragged-table", f"columns differ in length: {sorted(rows)[:5]}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def column(self, name: str) -> Array:
        """One column. InvalidInput `no-column` names those that are there."""
        if name not in self.columns:
            raise InvalidInput(
                "no-column", f"the data has no column {name!r}", hint=_those(self.names)
            )
        return self.columns[name]

    def select(self, names: Sequence[str]) -> Table:
        """These columns, in this order. InvalidInput `no-column` names all that are missing."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            shown = ", ".join(map(repr, missing[:10]))
            raise InvalidInput("no-column", f"the data lacks {shown}", hint=_those(self.names))
        return Table({name: self.columns[name] for name in names})

    def without(self, *names: str) -> Table:
        """All columns but these."""
        return Table({n: column for n, column in self.columns.items() if n not in names})

    def known(self, names: Sequence[str]) -> Table:
        """These columns, if all are there; else the whole table, for the model to say why not.

        Some libraries spell names in their own way.
        """
        return self.select(names) if set(names) <= self.columns.keys() else self

    def take(self, rows: Array | slice) -> Table:
        """Some rows: by indices, mask or slice."""
        return Table({name: column[rows] for name, column in self.columns.items()})

    def matrix(self) -> Array:
        """Shape (rows, columns); or the column itself, if it is the only one and has axes.

        Raises:
            InvalidInput: `not-numeric`: a column holds text.
        """
        if len(self.columns) == 1:
            only = next(iter(self.columns.values()))
            if only.ndim > 1:
                return only
        texts = [name for name, c in self.columns.items() if c.dtype.kind not in "biuf"]
        if texts:
            shown = ", ".join(texts[:10])
            raise InvalidInput(
                "not-numeric", f"not numbers: {shown}",
                hint="drop or encode them, or commit a pipeline that does",
            )  # fmt: skip
        if any(column.ndim > 1 for column in self.columns.values()):
            return np.concatenate([c.reshape(len(c), -1) for c in self.columns.values()], axis=1)
        return np.column_stack(list(self.columns.values()))

    def frame(self) -> Any:
        """A `pandas.DataFrame` of the columns. Unsupported `no-extra` without pandas."""
        try:
            import pandas
        except ImportError:
            raise Unsupported(
                "no-extra", "this model takes columns by name, which needs pandas",
                hint="pip install 'modelyard[data]'",
            ) from None  # fmt: skip
        return pandas.DataFrame({name: _with_nan(c) for name, c in self.columns.items()})

    def arranged(self, names: Sequence[str] | None) -> Any:
        """As an estimator wants it: a frame of the columns it was fitted with, or a matrix."""
        return self.matrix() if names is None else self.select(list(names)).frame()


def _with_nan(column: Array) -> Array:
    """Missing text as data frames have it: a column of None alone would be no text to them."""
    if column.dtype.kind != "O":
        return column
    missing = np.fromiter((value is None for value in column.flat), bool, column.size)
    if not missing.any():
        return column
    filled = column.copy()
    filled[missing.reshape(column.shape)] = np.nan
    return filled


def _column(series: Any) -> Array:
    """A column of a frame: text as objects, missing numbers as NaN."""
    kind = getattr(series.dtype, "kind", "O")
    if kind in "biufM" and isinstance(series.dtype, np.dtype):
        return np.asarray(series)
    if kind in "biuf":  # an extension dtype, which may hold missing values
        return np.asarray(series.to_numpy(dtype="float64", na_value=np.nan))
    values = np.array(series.astype(object))
    values[np.asarray(series.isna())] = None
    return values


def _those(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return f"there are {shown}" + (", ..." if len(names) > 12 else "")
