"""NPY and NPZ files: arrays by name, or the columns of one matrix."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.formats.interface import Budget
from modelyard.formats.npy import inspect
from modelyard.formats.tables.checks import bad_data, check_names, check_size, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelyard.core.table import Table
    from modelyard.formats.interface import Inspection

__all__ = ["read"]

Array = np.ndarray[Any, Any]

_BUDGET = Budget(seconds=10.0)


def read(path: Path, columns: Sequence[str] | None, limit: int | None, memory: int) -> Table:
    with path.open("rb") as file:
        try:
            found = inspect(file, path.name, _BUDGET.begun())
        except InvalidInput as error:
            raise bad_data(f"{path.name} can't be read: {error}") from None
    _check(found, path.name, columns, memory)
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return chosen(_matrix(loaded), columns, limit)
    with loaded:
        names = list(loaded.files) if columns is None else [n for n in columns if n in loaded.files]
        if columns is not None and len(names) < len(columns):
            names = list(loaded.files)  # the table will say what is missing
        arrays = {name: _column(name, loaded[name]) for name in names}
    return chosen(arrays, columns, limit)


def _check(found: Inspection, where: str, columns: Sequence[str] | None, memory: int) -> None:
    """Before anything is read: no pickles, and not more than there is memory for."""
    if any(finding.kind != "trailing-bytes" for finding in found.findings):
        raise bad_data(
            f"{where} holds Python objects, which only pickle could read",
            hint="save arrays of numbers or of text (dtype U)",
        )
    check_names([tensor.name for tensor in found.tensors], where)
    wanted = [t for t in found.tensors if columns is None or t.name in columns]
    check_size(sum(prod(t.shape) * _width(t.dtype) for t in wanted), memory, where)


def _width(dtype: str) -> int:
    """Bytes of one value in memory; whole numbers and text are widened."""
    digits = "".join(char for char in dtype if char.isdigit())
    return max(8, int(digits or 8) // 8)


def _matrix(array: Array) -> dict[str, Array]:
    """A matrix has columns `x0`, `x1`, ...; what has more axes, or one, is a single column."""
    if array.dtype.names is not None:
        return {name: _column(name, array[name]) for name in array.dtype.names}
    if array.ndim == 2:
        return {f"x{i}": _column(f"x{i}", array[:, i]) for i in range(array.shape[1])}
    return {"x0" if array.ndim == 1 else "data": _column("data", array)}


def _column(name: str, array: Array) -> Array:
    """As `core.table` says: int64, float32, float64, bool, text objects, times."""
    if array.ndim == 0:
        raise bad_data(f"{name!r} is a single value, not a column")
    array = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind not in "biufM":
        raise bad_data(f"{name!r} has values of type {array.dtype}, which are no data")
    if array.ndim > 1:
        return array
    return _widened(array)


def _widened(array: Array) -> Array:
    if array.dtype.kind == "i":
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "u":
        large = array.dtype.itemsize == 8 and array.size and int(array.max()) > 2**63 - 1
        return array.astype(np.float64 if large else np.int64)
    if array.dtype.kind == "f" and array.dtype not in (np.float32, np.float64):
        return array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    return array
