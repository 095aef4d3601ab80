"""Answers into the file that was asked for: CSV, Parquet, Arrow or JSON lines, whole or not."""

from __future__ import annotations

import base64
import gzip
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from modelyard.formats.tables.checks import arrow_module
from modelyard.serving.tabular import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["write_output"]

_GROUP: Final = 1 << 17
"""Rows of a Parquet file's group."""


def write_output(
    target: Path,
    kind: str,
    batches: Any,
    classes: Sequence[Any] | None,
    as_json: Sequence[str] = (),
) -> None:
    """Write all batches of a reader; the file appears when all of it is on the disk.

    The same batches make the same bytes.

    Args:
        as_json: Columns whose texts are JSON. JSON lines have them as they came; in the other
            formats, whose columns are of one type, they are text.
    """
    new = target.with_name(f"{target.name}.new")
    arrow = arrow_module("pyarrow")
    if kind != "jsonl" and as_json:
        read = (_spoken(arrow, batch, as_json) for batch in batches)
    else:
        read = iter(batches)
    try:
        if kind == "jsonl":
            _jsonl(new, read, as_json)
        elif kind == "csv":
            _csv(new, read, classes)
        else:
            {"parquet": _parquet, "arrow": _arrow}[kind](new, read, batches.schema)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(new, target)
    finally:
        new.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parquet(place: Path, batches: Iterable[Any], schema: Any) -> None:
    arrow, parquet = arrow_module("pyarrow"), arrow_module("pyarrow.parquet")
    with parquet.ParquetWriter(place, schema, compression="zstd") as writer:
        waiting: list[Any] = []
        for batch in batches:
            waiting.append(batch)
            if sum(part.num_rows for part in waiting) >= _GROUP:
                writer.write_table(arrow.Table.from_batches(waiting), row_group_size=_GROUP)
                waiting = []
        if waiting:
            writer.write_table(arrow.Table.from_batches(waiting), row_group_size=_GROUP)


def _arrow(place: Path, batches: Iterable[Any], schema: Any) -> None:
    arrow = arrow_module("pyarrow")
    is_stream = place.name.lower().removesuffix(".new").endswith(".arrows")
    opened = arrow.ipc.new_stream if is_stream else arrow.ipc.new_file
    with opened(str(place), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _csv(place: Path, batches: Iterable[Any], classes: Sequence[Any] | None) -> None:
    arrow, csv = arrow_module("pyarrow"), arrow_module("pyarrow.csv")
    named = place.name.lower().removesuffix(".new").removesuffix(".gz")
    options = csv.WriteOptions(delimiter="\t" if named.endswith(".tsv") else ",")
    writer = None
    with _opened(place) as file:
        try:
            for batch in batches:
                flat = _flat(arrow, batch, classes)
                if writer is None:
                    writer = csv.CSVWriter(file, flat.schema, write_options=options)
                writer.write_table(flat)
        finally:
            if writer is not None:
                writer.close()


def _jsonl(place: Path, batches: Iterable[Any], as_json: Sequence[str]) -> None:
    with _opened(place) as file:
        for batch in batches:
            rows = batch.to_pylist()
            for name in as_json:
                for row in rows:
                    if row[name] is not None:
                        row[name] = orjson.Fragment(row[name])
            file.writelines(
                orjson.dumps(row, default=_said, option=orjson.OPT_APPEND_NEWLINE) for row in rows
            )


@contextmanager
def _opened(place: Path) -> Iterator[BinaryIO]:
    """A file to write to, packed if its name ends in `.gz`."""
    with place.open("wb") as file:
        if not place.name.lower().removesuffix(".new").endswith(".gz"):
            yield file
            return
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:  # the same bytes each time
            yield packed  # type: ignore[misc]


def _spoken(arrow: Any, batch: Any, as_json: Sequence[str]) -> Any:
    """Columns of JSON as text: strings as they are, other values as JSON writes them."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name in as_json:
        texts = [
            orjson.loads(text) if text is not None and text[0] == '"' else text
            for text in columns[name].to_pylist()
        ]
        columns[name] = arrow.array(texts, arrow.string())
    return arrow.record_batch(columns)


def _flat(arrow: Any, batch: Any, classes: Sequence[Any] | None) -> Any:
    """Lists of one length as columns of their own; what else CSV can't say as JSON says it."""
    columns: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        side = 1
        is_list = arrow.types.is_fixed_size_list(column.type)
        while arrow.types.is_fixed_size_list(column.type):
            side *= column.type.list_size
            column = _flattened(arrow, column)
        if arrow.types.is_nested(column.type) or arrow.types.is_binary(column.type):
            column = _texts(arrow, column)
        if not is_list:
            columns[name] = column
            continue
        for at, part in enumerate(parts_of(name, side, classes)):
            columns[part] = column.take(arrow.array(np.arange(at, len(column), side)))
    return arrow.table(columns)


def _flattened(arrow: Any, column: Any) -> Any:
    """Values of lists of one length; a list that is missing is as many that are."""
    if not column.null_count:
        return column.flatten()
    none = [None] * column.type.list_size
    values = [item for each in column.to_pylist() for item in (none if each is None else each)]
    return arrow.array(values, column.type.value_type)


def _texts(arrow: Any, column: Any) -> Any:
    return arrow.array([_text(value) for value in column.to_pylist()], arrow.string())


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = _said(value)
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, default=_said).decode()


def _said(value: Any) -> Any:
    """What JSON has no words for: bytes as text, or, if they are none, as inputs have them."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
