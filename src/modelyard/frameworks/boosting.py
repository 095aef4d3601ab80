"""What XGBoost and LightGBM share: parameters as JSON, plans for trees, tables as numbers."""

from __future__ import annotations

import difflib
import keyword
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.formats.reading import bad, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.frameworks.interface import Json

__all__ = [
    "PLAN",
    "by_query",
    "check_keys",
    "check_plan",
    "check_rounds",
    "checked_names",
    "column_names",
    "columns_of",
    "decoded",
    "encoded",
    "example_matrix",
    "fit_matrix",
    "history_of",
    "kept_rounds",
    "matrix_of",
    "picked",
    "plain",
    "renamed_features",
    "signature_of",
    "target_of",
    "with_numbers",
]

Array = np.ndarray[Any, Any]

PLAN = '{"keep_trees": [0, 50]} or {"rename_features": {"old": "new"}}'
_MOST = 1_000_000
"""Values that one parameter may hold."""


def encoded(name: str, value: Any) -> Json:
    """A parameter as JSON that `decoded` turns back. InvalidInput: `not-savable`."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list):
        return [encoded(name, item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encoded(name, item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encoded(name, k), encoded(name, v)] for k, v in value.items()]}
    if isinstance(value, np.ndarray) and _keepable(value):
        return {"array": encoded(name, value.tolist()), "dtype": value.dtype.str}
    raise InvalidInput(
        "not-savable", f"the parameter {name} is a {type(value).__name__}, which can't be kept",
        hint=f"set_params({name}=None) before the commit keeps the trees; or use a name or number",
    )  # fmt: skip


def _keepable(value: Array) -> bool:
    texts = value.dtype == object and all(type(item) is str for item in value.ravel())
    return value.size <= _MOST and (value.dtype.kind in "biufU" or texts)


def decoded(value: Json) -> Any:
    """What `encoded` was given. InvalidInput `not-loadable`: it never gave this."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        if value.keys() == {"float"}:
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[value["float"]]
        if value.keys() == {"tuple"}:
            return tuple(decoded(item) for item in value["tuple"])
        if value.keys() == {"dict"}:
            return {decoded(key): decoded(item) for key, item in value["dict"]}
        if value.keys() == {"array", "dtype"}:
            dtype = np.dtype(value["dtype"])
            found = np.array(decoded(value["array"]), dtype)
            if _keepable(found):
                return found
    except (KeyError, TypeError, ValueError, SyntaxError, OverflowError):
        pass
    raise InvalidInput("not-loadable", "the parameters of the saved object are malformed")


def plain(value: Any) -> Json:
    """A parameter for people and for `set_params`: JSON, where NaN is the text "nan"."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return f"<{type(value).__name__}>"


def check_keys(kind: str, keys: Iterable[str], known: Iterable[str], what: str) -> None:
    """InvalidInput of this kind for the first key that `what` does not have."""
    known = sorted(known)
    for key in keys:
        if key in known:
            continue
        near = difflib.get_close_matches(str(key), known, 3, 0.6)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise InvalidInput(
            kind, f"{what} has no {str(key)[:60]!r}", hint=f"{meant}there are {', '.join(known)}"
        )


def kept_rounds(plan: Json, rounds: int) -> tuple[int, int]:
    """First and last-but-one round of `keep_trees`. InvalidInput: `bad-structure`."""
    span = plan if isinstance(plan, list | tuple) else ()
    if len(span) != 2 or not all(type(end) is int for end in span):
        raise _bad_plan("keep_trees is no pair of whole numbers")
    first, last = span
    if not 0 <= first < last <= rounds:
        raise _bad_plan(f"keep_trees [{first}, {last}] is not within the {rounds} rounds")
    return first, last


def renamed_features(plan: Json, names: Sequence[str]) -> list[str]:
    """All names after `rename_features`. InvalidInput: `bad-structure`."""
    texts = isinstance(plan, dict) and all(
        isinstance(text, str) and text for pair in plan.items() for text in pair
    )
    if not texts:
        raise _bad_plan("rename_features is no object of names")
    unknown = sorted(set(plan) - set(names))
    if unknown:
        shown = ", ".join(names[:20]) or "none: the model knows no names"
        raise _bad_plan(f"there is no feature {unknown[0][:60]!r} to rename; features: {shown}")
    found = [plan.get(name, name) for name in names]
    if len(set(found)) < len(found):
        raise _bad_plan("two features would have the same name")
    wrong = [name for name in found if any(c in name for c in '[]<>"\\,:{}\0\n\r\t ')]
    if wrong:
        raise _bad_plan(f"{wrong[0][:60]!r} is no name of a feature")
    return found


def check_plan(plan: Json, known: Sequence[str] = ("keep_trees", "rename_features")) -> None:
    """InvalidInput `bad-structure` unless the plan is an object with these keys."""
    if not isinstance(plan, dict) or not plan or not set(plan) <= set(known):
        raise _bad_plan("the plan is no object with keep_trees or rename_features")


def _bad_plan(message: str) -> InvalidInput:
    return InvalidInput("bad-structure", message, hint=f"a plan is {PLAN}")


def matrix_of(table: Table, names: Sequence[str] | None) -> Array:
    """Rows of numbers, shape (rows, features): columns by name, or all in their order.

    A table of one matrix has no names to go by. InvalidInput: `no-column`, `not-numeric`.
    """
    found = picked(table, names).matrix()
    if found.dtype.kind not in "biuf":
        raise InvalidInput(
            "not-numeric", f"the data is {found.dtype}, not numbers",
            hint="drop or encode such columns",
        )  # fmt: skip
    return found.reshape(len(found), math.prod(found.shape[1:]))


def picked(table: Table, names: Sequence[str] | None) -> Table:
    """The columns of a model, under its names. InvalidInput: `no-column`.

    LightGBM keeps `mean radius` as `mean_radius`: a column is found by either. A table of one
    matrix, or a model without names, has all columns taken as they stand.
    """
    only = next(iter(table.columns.values())) if len(table.names) == 1 else None
    if names is None or (only is not None and only.ndim > 1):
        return table
    spelled: dict[str, list[str]] = {}
    for name in table.names:
        spelled.setdefault(name.replace(" ", "_"), []).append(name)
    found = []
    for name in names:
        like = spelled.get(name, [])
        found.append(like[0] if name not in table.columns and len(like) == 1 else name)
    columns = table.select(found).columns
    return Table({name: columns[own] for name, own in zip(names, found, strict=True)})


def fit_matrix(table: Table, names: Sequence[str] | None) -> Array:
    """Rows to train on: the columns that the model knows by name, else all."""
    found = matrix_of(table, names)
    if not len(found):
        raise InvalidInput("no-rows", "there are no rows to train on")
    return found


def target_of(target: Any, rows: int) -> Array:
    """What to predict, one for each row. InvalidInput: `bad-target`."""
    found = np.asarray(target)
    missing = (
        bool(np.isnan(found).any())
        if found.dtype.kind == "f"
        else found.dtype == object and any(item is None for item in found.ravel())
    )
    if missing:
        raise InvalidInput("bad-target", "the target has missing values", hint="drop those rows")
    if found.ndim == 0 or len(found) != rows:
        raise InvalidInput("bad-target", f"the target has not one value for each of {rows} rows")
    return found


def check_rounds(epochs: int | None) -> None:
    """InvalidInput `bad-epochs` unless it is a number of rounds."""
    if epochs is not None and (type(epochs) is not int or not 1 <= epochs <= 1_000_000):
        raise InvalidInput("bad-epochs", f"{epochs!r:.40} is no number of rounds", hint="1 or more")


def with_numbers(changes: Mapping[str, Json], now: Mapping[str, Any]) -> dict[str, Json]:
    """The texts that `plain` writes for NaN and infinity turned back, where a number stands."""
    words = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
    return {
        name: words[value]
        if isinstance(value, str) and value in words and isinstance(now.get(name), float)
        else value
        for name, value in changes.items()
    }


def column_names(table: Table, forbidden: str) -> list[str] | None:
    """Names of a table of plain columns, if the library can keep them."""
    flat = all(column.ndim == 1 for column in table.columns.values())
    kept = all(name and not set(name) & set(forbidden) for name in table.names)
    return list(table.names) if flat and kept else None


def by_query(queries: Array) -> tuple[Array, Array]:
    """The order of rows in which those of a query stand together, and how many each has."""
    if queries.dtype.kind not in "biuf" or (queries != queries).any():
        raise InvalidInput("not-numeric", "the column qid must hold whole numbers")
    order: Array = np.argsort(queries, kind="stable")
    _, counts = np.unique(queries, return_counts=True)
    return order, counts


def history_of(value: Any) -> dict[str, Any]:
    """Scores by data and metric, as plain dicts, lists and numbers."""
    return {
        str(data): {str(metric): _points(scores) for metric, scores in each.items()}
        for data, each in (value or {}).items()
    }


def _points(scores: Any) -> Any:
    if isinstance(scores, list):
        return [_points(score) for score in scores]
    return tuple(map(float, scores)) if isinstance(scores, tuple) else float(scores)


def checked_names(cls: type, given: Iterable[str], own: Iterable[str], what: str) -> None:
    """InvalidInput `not-loadable` for a parameter that would hide a method or a private name."""
    own = set(own)
    for name in given:
        word = name.isidentifier() and not keyword.iskeyword(name) and name[0] != "_"
        if name not in own and (not word or hasattr(cls, name)):
            raise bad("not-loadable", f"{what} has no parameter {printable(name, 40)!r}")


def example_matrix(example: Any, names: Sequence[str] | None) -> Array:
    """Rows of an example: an array, a list, a frame or a Table. InvalidInput: `not-numeric`."""
    columns = columns_of(example)
    if columns is not None:
        return matrix_of(Table(columns), names)
    return matrix_of(Table({"input": np.asarray(example)}), None)


def columns_of(example: Any) -> dict[str, Array] | None:
    """The columns of a Table or a frame; None for an array."""
    if isinstance(example, Table):
        return dict(example.columns)
    if hasattr(example, "dtype") or not hasattr(example, "columns"):
        return None
    return {str(name): np.asarray(example[name]) for name in example.columns}


def signature_of(example: Any, names: Sequence[str] | None, outputs: Mapping[str, Array]) -> Json:
    """Inputs as the model names them, else the example; outputs as they were predicted."""
    return {
        "inputs": _inputs(example, names),
        "outputs": [
            {"name": name, "dtype": _dtype(array), "shape": [-1, *array.shape[1:]]}
            for name, array in outputs.items()
        ],
    }


def _inputs(example: Any, names: Sequence[str] | None) -> list[Json]:
    columns = columns_of(example)
    if columns is None:
        array = np.asarray(example)
        if names is None or array.ndim != 2 or array.shape[1] != len(names):
            return [{"name": "input", "dtype": _dtype(array), "shape": [-1, *array.shape[1:]]}]
        columns = {name: array[:, index] for index, name in enumerate(names)}
    columns = dict(picked(Table(columns), names).columns)
    return [
        {"name": name, "dtype": _dtype(column), "shape": [-1, *column.shape[1:]]}
        for name, column in columns.items()
    ]


def _dtype(array: Array) -> str:
    return "string" if array.dtype.kind in "OUST" else str(array.dtype)
