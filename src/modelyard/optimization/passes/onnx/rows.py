"""Rows for calibration and for comparing: real ones, the example's, or made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table

if TYPE_CHECKING:
    from modelyard.optimization.state import Model, Work

    Array = np.ndarray[Any, Any]

__all__ = ["example_rows", "known_rows", "made_up", "spread"]

_SIDE = 16
"""Length of a side that may have any, in rows that are made up."""


def known_rows(model: Model, work: Work, count: int) -> Table | None:
    """Up to so many rows that the model takes: to learn from, to choose by, or of the example."""
    for rows in (work.train, work.valid):
        if rows is not None and len(rows):
            return rows.inputs.take(spread(len(rows), count))
    return example_rows(model)


def example_rows(model: Model) -> Table | None:
    """The rows that the manifest keeps."""
    entries = (model.example or {}).get("inputs")
    if not entries:
        return None
    return Table({str(entry["name"]): _array(entry) for entry in entries})


def _array(entry: Any) -> Array:
    dtype = str(entry["dtype"])
    if dtype == "string":
        values = np.array(entry["data"], object)
    elif dtype == "datetime":
        values = np.array(entry["data"], "datetime64[us]")
    else:
        values = np.array([np.nan if v is None else v for v in entry["data"]], dtype)
    return values.reshape(entry["shape"])


def made_up(signature: Any, count: int, seed: int) -> Table | None:
    """Rows of chance after a signature: normally distributed numbers, small whole numbers.

    None where it has no inputs, or they hold text.
    """
    entries = (signature or {}).get("inputs") or ()
    chance = np.random.default_rng(seed)
    columns: dict[str, Array] = {}
    for entry in entries:
        shape, dtype = entry.get("shape"), str(entry.get("dtype"))
        if shape is None or dtype in ("string", "datetime", "None"):
            return None
        sides = (count, *(side if side > 0 else _SIDE for side in shape[1:]))
        if not shape:
            return None
        kind = np.dtype(dtype).kind
        if kind == "f":
            columns[str(entry["name"])] = chance.normal(size=sides).astype(dtype)
        elif kind == "b":
            columns[str(entry["name"])] = chance.random(sides) < 0.5
        else:
            columns[str(entry["name"])] = chance.integers(0, 2, sides).astype(dtype)
    return Table(columns) if columns else None


def spread(rows: int, count: int) -> Array:
    """Indices of rows taken evenly from all, in order."""
    if rows <= count:
        return np.arange(rows)
    return np.unique(np.linspace(0, rows - 1, count).round().astype(np.int64))
