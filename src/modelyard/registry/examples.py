"""A few rows of what a version takes, kept in its manifest: to try it before it answers people."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROWS", "kept_example"]

ROWS: Final = 16
"""Rows that are kept at most."""
_ROOM: Final = 12_000
"""Bytes of JSON that they may take; of wide rows fewer are kept."""

Array = np.ndarray[Any, Any]


def kept_example(example: Any, signature: Any) -> dict[str, Any] | None:
    """`{"inputs": [{"name", "dtype", "shape", "data"}]}`, the data flat; missing numbers as null.

    Args:
        example: What was given at commit: rows in any form that signatures are inferred from.
        signature: What was inferred; its names are taken.

    Returns:
        None if there is none, if one row is too large, or if it holds what JSON can't say.
    """
    if example is None:
        return None
    try:
        arrays = _named(_arrays(example), signature)
        rows = min(ROWS, *(len(array) for array in arrays.values()))
        while rows > 0:
            told = {"inputs": [_told(name, array[:rows]) for name, array in arrays.items()]}
            if len(json.dumps(told, ensure_ascii=False, allow_nan=False).encode()) <= _ROOM:
                return told
            rows //= 2
    except (ModelyardError, TypeError, ValueError, AttributeError, LookupError):
        return None  # it was good enough for the signature; nobody needs it to commit
    return None


def _arrays(example: Any) -> dict[str, Array]:
    if hasattr(example, "columns") and hasattr(example, "iloc"):
        return dict(Table.of(example).columns)
    if isinstance(example, Table):
        return dict(example.columns)
    if isinstance(example, dict):
        return {str(name): _array(value) for name, value in example.items()}
    if isinstance(example, tuple):
        return {f"input_{at}": _array(value) for at, value in enumerate(example)}
    return {"input": _array(example)}


def _array(value: Any) -> Array:
    if hasattr(value, "detach"):  # a tensor of torch
        value = value.detach().cpu()
    found = np.asarray(value)
    if found.ndim == 0:
        raise ValueError("no rows")
    return found


def _named(arrays: Mapping[str, Array], signature: Any) -> dict[str, Array]:
    """By the names of the signature, where it has as many inputs."""
    entries = (signature or {}).get("inputs") or ()
    names = [str(entry["name"]) for entry in entries]
    if set(names) <= set(arrays) and names:
        return {name: arrays[name] for name in names}
    if len(names) == len(arrays):
        return dict(zip(names, arrays.values(), strict=True))
    return dict(arrays)


def _told(name: str, array: Array) -> dict[str, Any]:
    kind = array.dtype.kind
    dtype: str
    data: list[Any]
    if kind in "OUS":
        dtype, data = "string", [None if v is None else _text(v) for v in array.ravel().tolist()]
    elif kind == "M":
        dtype, data = "datetime", [str(each) for each in np.datetime_as_string(array).ravel()]
    elif kind == "f":
        dtype, data = str(array.dtype), [_number(each) for each in array.ravel()]
    elif kind in "biu":
        dtype, data = str(array.dtype), array.ravel().tolist()
    else:
        raise TypeError(str(array.dtype))
    return {"name": name, "dtype": dtype, "shape": list(array.shape), "data": data}


def _text(value: Any) -> str | None:
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(value: Any) -> float | None:
    """The shortest digits that mean it: those of a float32 are half as many."""
    return float(str(value)) if np.isfinite(value) else None
