"""CSV: what separates its columns, and a reader for where pyarrow isn't installed."""

from __future__ import annotations

import csv
import importlib.util
import io
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.formats.tables.checks import (
    bad_data,
    check_names,
    check_size,
    chosen,
    not_utf8,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from modelyard.core.table import Table

__all__ = ["read"]

Array = np.ndarray[Any, Any]

_NULLS: Final = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A"})
_CELL: Final = 70
"""Bytes of one value while Python holds it."""


def read(path: Path, columns: Sequence[str] | None, limit: int | None, memory: int) -> Table:
    delimiter = _delimiter(path, memory)
    if importlib.util.find_spec("pyarrow") is None:
        return read_plainly(path, columns, limit, memory, delimiter)
    from modelyard.formats.tables.arrow import read_csv

    return read_csv(path, columns, limit, memory, delimiter)


def _delimiter(path: Path, memory: int) -> str:
    """Whichever of comma, semicolon and tab is most frequent in the first line."""
    with opened(path, memory) as file:
        first = file.readline(1 << 20)
    if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise not_utf8(path.name, "utf-16")
    if b"\0" in first:
        raise bad_data(f"{path.name} is no text")
    return max(",;\t", key=lambda mark: first.count(mark.encode()))


def read_plainly(
    path: Path, columns: Sequence[str] | None, limit: int | None, memory: int, delimiter: str
) -> Table:
    """By Python's own csv module: numbers become int64 or float64, the rest is text."""
    with opened(path, memory) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            names = next(reader, [])
            check_names(names, path.name)
            rows = list(islice(_checked(reader, len(names), path.name, memory), limit))
        except csv.Error as error:
            raise bad_data(f"{path.name}, line {reader.line_num}: {error}") from None
    turned = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays = {name: _column(values) for name, values in zip(names, turned, strict=True)}
    return chosen(arrays, columns, None)


def _checked(reader: Any, width: int, where: str, memory: int) -> Iterable[list[str]]:
    for number, row in enumerate(reader):
        if not row:
            continue
        if len(row) != width:
            raise bad_data(
                f"{where}, line {reader.line_num}: expected {width} columns, got {len(row)}"
            )
        if number % 10_000 == 0:
            check_size(number * width * _CELL, memory, where)
        yield row


def _column(values: Sequence[str]) -> Array:
    missing = [value in _NULLS for value in values]
    if not any(missing):
        try:
            return np.array([int(value) for value in values], np.int64)
        except (ValueError, OverflowError):
            pass
    try:
        return np.array(
            [np.nan if gap else float(v) for v, gap in zip(values, missing, strict=True)], float
        )
    except ValueError:
        pass
    column = np.empty(len(values), object)
    column[:] = [None if gap else v for v, gap in zip(values, missing, strict=True)]
    return column
