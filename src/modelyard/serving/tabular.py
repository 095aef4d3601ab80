"""CSV and Arrow: bodies of many rows, and answers of as many."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.formats.tables import read_arrow
from modelyard.formats.tables.checks import arrow_module
from modelyard.serving.casting import GAPS, bad_inputs, said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.serving.feeding import Fed, Plan
    from modelyard.serving.interface import Array

__all__ = [
    "arrow_table", "from_arrow", "from_csv", "has_names", "parts_of", "to_arrow", "to_csv",
]  # fmt: skip

_MOST: Final = 1 << 30
"""Bytes that a body of Arrow, which may be packed, may take once it is unpacked."""
_CLEAR: Final = 3
"""Columns from which on nobody has a row of 0, 1, 2 by chance."""


def from_csv(plan: Plan, body: bytes) -> Fed:
    """CSV in UTF-8. Its first line has the names, unless it is all numbers: see `has_names`."""
    try:
        text = bytes(body).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("bad-request", "the CSV is not UTF-8") from None
    first = text[:65536].partition("\n")[0]
    mark = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise InvalidInput("bad-request", f"the CSV, line {reader.line_num}: {error}") from None
    names = None
    if rows and has_names(plan, rows[0]):
        names = rows.pop(0)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidInput("bad-request", f"the CSV has two columns {said(twice)}")
    width = len(names) if names is not None else len(rows[0]) if rows else 0
    for place, row in enumerate(rows):
        if len(row) != width:
            raise InvalidInput(
                "bad-request", f"row {place} of the CSV has {len(row)} values, and not {width}"
            )
    return plan.of_texts(names, rows)


def has_names(plan: Plan, first: Sequence[str]) -> bool:
    """Whether the first line of CSV names the columns; of numbers and gaps alone it is a row.

    Numbers are names where the model knows them as such, and where they count the columns from 0,
    which is how pandas writes columns without names.

    Raises:
        InvalidInput: `bad-inputs`: `0` or `0,1` may be the one as well as the other.
    """
    if not all(cell in GAPS or _is_number(cell) for cell in first):
        return True
    if plan.needed and {spec.name for spec in plan.needed} <= set(first):
        return True
    if list(first) != [str(at) for at in range(len(first))]:
        return False
    if len(first) < _CLEAR:
        raise bad_inputs(
            f"the CSV begins with {','.join(first)}: are these names, or values?",
            "give a first line with names, or write 0.0 where 0 is a value",
        )
    return True


def from_arrow(plan: Plan, body: bytes) -> Fed:
    """An Arrow stream, or file. Unsupported: `no-extra` without pyarrow."""
    return plan.of_table(read_arrow(body, memory=_MOST))


def to_csv(outputs: Mapping[str, Array], classes: Sequence[Any] | None) -> bytes:
    """A line for each row; an output with more than one value in a row has as many columns."""
    columns: dict[str, list[Any]] = {}
    for name, array in outputs.items():
        flat = array.reshape(len(array), -1) if array.ndim > 1 else array
        if flat.ndim == 1:
            columns[name] = _cells(flat)
            continue
        for at, part in enumerate(parts_of(name, flat.shape[1], classes)):
            columns[part] = _cells(flat[:, at])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def to_arrow(outputs: Mapping[str, Array]) -> bytes:
    """An Arrow stream of one batch."""
    arrow = arrow_module("pyarrow")
    table = arrow_table(outputs)
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def arrow_table(outputs: Mapping[str, Array]) -> Any:
    """A `pyarrow.Table`; what has several values in a row becomes lists of one length."""
    arrow = arrow_module("pyarrow")
    return arrow.table({name: _arrow_column(arrow, array) for name, array in outputs.items()})


def _arrow_column(arrow: Any, array: Array) -> Any:
    if array.dtype.kind in "OUS":
        items = array.ravel().tolist()
        binary = any(isinstance(item, bytes) for item in items)
        kind = arrow.binary() if binary else arrow.string()
        plain = items if binary else [None if i is None else str(i) for i in items]
        column = arrow.array([_as_bytes(i) for i in plain] if binary else plain, kind)
    else:
        column = arrow.array(np.ascontiguousarray(array).ravel())
    for side in reversed(array.shape[1:]):
        column = arrow.FixedSizeListArray.from_arrays(column, side)
    return column


def _as_bytes(item: Any) -> Any:
    return item.encode() if isinstance(item, str) else item


def parts_of(name: str, count: int, classes: Sequence[Any] | None) -> list[str]:
    """Names for the values of an output: the classes, if they are as many."""
    if name.endswith("probability") and classes is not None and len(classes) == count:
        return [f"{name}_{label}" for label in classes]
    return [f"{name}_{at}" for at in range(count)]


def _cells(array: Array) -> list[Any]:
    """Numbers as short as they can be read back: float32 as float32."""
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        return [str(value) for value in array]
    values: list[Any] = array.tolist()
    if array.dtype.kind in "OS":
        return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
