"""A step that derives columns by formulas: ratios, parts of times, numbers of a row together.

Its parameters are plain data and it learns nothing, so a file that names it does no harm. It is
written like an estimator of scikit-learn, and imports that only when it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FORMULAS", "Derived"]

Array = np.ndarray[Any, Any]

FORMULAS: Final = (
    "ratio", "difference", "product", "mean", "deviation", "least", "most", "missing",
    "year", "month", "weekday", "day", "hour", "days",
)  # fmt: skip
_TWO: Final = ("ratio", "difference", "product")
_TIMES: Final = frozenset(FORMULAS[8:])
_NEVER = np.nan


class Derived:
    """Columns made of others, float64; NaN where a formula has no value.

    Args:
        formulas: Pairs of a name of `FORMULAS` and the columns that it is made of, by name or
            position: two for `ratio` (NaN at division by zero), `difference` and `product`, any
            number for `mean`, `deviation`, `least`, `most` and `missing` (how many are), one time
            for the others (`days` since 1970; `weekday`: Monday is 0).
    """

    def __init__(self, formulas: Sequence[Sequence[Any]] = ()) -> None:
        self.formulas = formulas

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """As every estimator."""
        del deep
        return {"formulas": self.formulas}

    def set_params(self, **params: Any) -> Derived:
        """As every estimator."""
        if set(params) - {"formulas"}:
            raise ValueError(f"Invalid parameter {sorted(params)[0]!r} for estimator Derived")
        self.formulas = params.get("formulas", self.formulas)
        return self

    def fit(self, rows: Any, target: Any = None) -> Derived:
        """Learns nothing but how wide the rows are. InvalidInput: `bad-param`."""
        del target
        for formula in self.formulas:
            _checked(formula)
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.array([str(name) for name in rows.columns], object)
        self.n_features_in_ = int(rows.shape[1])
        return self

    def fit_transform(self, rows: Any, target: Any = None) -> Array:
        """Shape (rows, formulas)."""
        return self.fit(rows, target).transform(rows)

    def transform(self, rows: Any) -> Array:
        """Shape (rows, formulas)."""
        made = [_value(*_checked(formula), rows) for formula in self.formulas]
        return np.column_stack(made) if made else np.empty((len(rows), 0))

    def get_feature_names_out(self, names: Any = None) -> Array:
        """`ratio(a,b)` for each formula."""
        del names
        found = [f"{name}({','.join(map(str, of))})" for name, of in map(_checked, self.formulas)]
        return np.array(found, object)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags

        found = Tags(
            estimator_type="transformer", target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(), requires_fit=False,
        )  # fmt: skip
        found.input_tags.allow_nan = True
        return found

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Derived({len(self.formulas)} formulas)"


def _checked(formula: Any) -> tuple[str, list[Any]]:
    try:
        name, of = formula
        of = list(of)
    except (TypeError, ValueError):
        name, of = "", []
    fits = len(of) == 2 if name in _TWO else len(of) == 1 if name in _TIMES else len(of) >= 1
    plain = all(isinstance(each, str | int | np.integer) for each in of)
    if name not in FORMULAS or not fits or not plain:
        raise InvalidInput(
            "bad-param", f"{str(formula)[:80]} is no formula",
            hint=f"a pair of a name and columns; names: {', '.join(FORMULAS)}",
        )  # fmt: skip
    return name, of


def _value(name: str, of: list[Any], rows: Any) -> Array:
    if name in _TIMES:
        return _part(name, _column(rows, of[0]))
    columns = [np.asarray(_column(rows, each)).astype(np.float64) for each in of]
    with np.errstate(all="ignore"):
        if name == "ratio":
            a, b = columns
            return np.asarray(np.where(b == 0, _NEVER, a / np.where(b == 0, 1.0, b)))
        if name == "difference":
            return np.asarray(columns[0] - columns[1])
        if name == "product":
            return np.asarray(columns[0] * columns[1])
        together = np.column_stack(columns)
        if name == "missing":
            return np.asarray(np.isnan(together).sum(axis=1), np.float64)
        known = ~np.isnan(together)
        count = np.where(known.any(axis=1), known.sum(axis=1), _NEVER)
        filled = np.where(known, together, 0.0)
        mean = filled.sum(axis=1) / count
        if name == "mean":
            return np.asarray(mean)
        if name == "deviation":
            off = np.where(known, together - mean[:, None], 0.0)
            return np.asarray(np.sqrt(np.square(off).sum(axis=1) / count))
        least = name == "least"
        found = np.where(known, together, np.inf if least else -np.inf)
        found = found.min(axis=1) if least else found.max(axis=1)
        return np.where(known.any(axis=1), found, _NEVER)


def _part(name: str, column: Any) -> Array:
    """A part of times, UTC."""
    times = np.asarray(column)
    if times.dtype.kind != "M":
        times = times.astype("datetime64[ns]")
    never = np.isnat(times)
    days = times.astype("datetime64[D]")
    if name == "hour":
        found = (times - days) / np.timedelta64(1, "h")
    elif name == "days":
        found = (times - np.datetime64(0, "D")) / np.timedelta64(1, "D")
    elif name == "weekday":
        found = (days.astype(np.int64) + 3) % 7  # the first day of 1970 was a Thursday
    elif name == "year":
        found = times.astype("datetime64[Y]").astype(np.int64) + 1970
    elif name == "month":
        found = times.astype("datetime64[M]").astype(np.int64) % 12 + 1
    else:
        found = (days - times.astype("datetime64[M]").astype(days.dtype)).astype(np.int64) + 1
    return np.where(never, _NEVER, found).astype(np.float64)


def _column(rows: Any, which: Any) -> Any:
    if hasattr(rows, "iloc"):
        return rows[which] if isinstance(which, str) else rows.iloc[:, which]
    return np.asarray(rows)[:, which]
