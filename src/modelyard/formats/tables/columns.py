"""Columns of Arrow as columns of numpy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.formats.reading import printable
from modelyard.formats.tables.checks import arrow_module, bad_data, check_size

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_text", "of_arrow"]

Array = np.ndarray[Any, Any]


def of_arrow(table: Any) -> dict[str, Array]:
    """All columns of a `pyarrow.Table`; those of floats without gaps are not copied."""
    return {name: _column(name, table.column(name)) for name in table.column_names}


def check_text(table: Any, memory: int, where: str) -> None:
    """Refuse columns whose texts, of which a file may hold many as one, are more than the memory.

    A dictionary holds each text once, views may share one buffer: written out they take the sum of
    the lengths in all rows.
    """
    size = 0
    for column in table.columns:
        for piece in getattr(column, "chunks", [column]):
            size += _spread(piece)
            check_size(size, memory, where)


def _spread(array: Any) -> int:
    """Bytes of an array's values once each row has its own."""
    arrow = arrow_module("pyarrow")
    types, kind = arrow.types, array.type
    if types.is_dictionary(kind):
        if not len(array.dictionary):
            return 0
        counts = np.bincount(
            np.asarray(array.indices.drop_null()).astype(np.int64), minlength=len(array.dictionary)
        )
        return math.ceil(float(counts @ _lengths(array.dictionary)))
    if str(kind) in ("string_view", "binary_view"):
        return int(_lengths(array).sum())
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _spread(array.flatten())
    return 0


def _lengths(array: Any) -> Array:
    """Bytes of each value as float64, whose sums don't overflow."""
    arrow = arrow_module("pyarrow")
    kind = str(array.type)
    if kind in ("string_view", "binary_view"):  # of 16 bytes, the first four are the length
        views = np.frombuffer(array.buffers()[1] or b"", np.int32)[::4]
        return views[array.offset : array.offset + len(array)].astype(np.float64)
    if kind in ("string", "large_string", "binary", "large_binary"):
        lengths = arrow.compute.binary_length(array).fill_null(0)
        return np.asarray(lengths, np.float64)
    return np.full(len(array), _width(array.type), np.float64)


def _width(kind: Any) -> float:
    try:
        return max(8.0, float(kind.bit_width) / 8)
    except ValueError:
        return 8.0


def _column(name: str, column: Any) -> Array:
    types = arrow_module("pyarrow").types
    kind = column.type
    if types.is_dictionary(kind):
        if types.is_string(kind.value_type) or types.is_large_string(kind.value_type):
            return _words(column)
        return _column(name, column.cast(kind.value_type))
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_boolean(kind) and column.null_count:
        return _column(name, column.cast("int8"))
    for asked, converted in _ways(types):
        if asked(kind):
            return converted(column)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _nested(name, column)
    raise _refused(name, kind)


def _ways(types: Any) -> tuple[tuple[Callable[[Any], bool], Callable[[Any], Array]], ...]:
    return (
        (types.is_boolean, _plain),
        (types.is_integer, _whole),
        (types.is_float16, lambda column: _plain(column.cast("float32"))),
        (types.is_floating, _plain),
        (types.is_decimal, lambda column: _plain(column.cast("float64"))),
        (types.is_timestamp, _moments),
        (types.is_date, _plain),
        (types.is_time, _seconds),
        (types.is_duration, _seconds),
        (types.is_string, _text),
        (types.is_large_string, _text),
        (lambda kind: str(kind) == "string_view", _text),
    )


def _plain(column: Any) -> Array:
    """The values where they lie, if there is one piece of them without gaps."""
    pieces = column.chunks
    if len(pieces) == 1 and not column.null_count and column.type.bit_width != 1:
        return np.asarray(pieces[0].to_numpy(zero_copy_only=False))
    return np.asarray(column.to_numpy())


def _whole(column: Any) -> Array:
    if column.null_count:
        return np.asarray(column.cast("float64", safe=False).to_numpy())
    array = _plain(column)
    if array.dtype == np.uint64 and array.size and int(array.max()) > 2**63 - 1:
        return array.astype(np.float64)
    return array.astype(np.int64, copy=False)


def _moments(column: Any) -> Array:
    """In UTC: numpy's times have no zone."""
    array = np.asarray(column.to_numpy())
    return array if array.dtype.kind == "M" else array.astype(f"datetime64[{column.type.unit}]")


def _seconds(column: Any) -> Array:
    """Times of day and spans as seconds."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    width = "int32" if column.type.bit_width == 32 else "int64"
    values = np.asarray(column.cast(width).cast("float64", safe=False).to_numpy())
    return values / per_second


def _text(column: Any) -> Array:
    return np.asarray(column.to_numpy(), dtype=object)


def _words(column: Any) -> Array:
    """Text of a dictionary: rows that say the same share one `str`."""
    found = np.full(len(column), None, object)
    start = 0
    for piece in column.chunks:
        rows = np.flatnonzero(piece.indices.is_valid().to_numpy(zero_copy_only=False))
        texts = np.asarray(piece.dictionary.to_numpy(zero_copy_only=False), dtype=object)
        found[start + rows] = texts[np.asarray(piece.indices.drop_null()).astype(np.int64)]
        start += len(piece)
    return found


def _nested(name: str, column: Any) -> Array:
    """Lists of one length as an array with one more axis."""
    compute = arrow_module("pyarrow.compute")
    lengths = compute.list_value_length(column)
    if column.null_count or len(set(compute.unique(lengths).to_pylist())) > 1:
        raise bad_data(f"the lists of column {name!r} differ in length")
    rows = len(column)
    inner = compute.list_flatten(column)
    values = _column(name, inner)
    side = lengths[0].as_py() if rows else 0
    return values.reshape(rows, side, *values.shape[1:])


def _refused(name: str, kind: Any) -> Exception:
    return bad_data(
        f"column {printable(name, 60)!r} holds {printable(str(kind), 80)}, which is no plain value",
        hint="leave it out, or make columns of its parts",
    )
