"""Answers into the file that was asked for: CSV, Parquet, Arrow or JSON lines, whole or not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import orjson

from modelyard.formats.tables.checks import arrow_module
from modelyard.serving.tabular import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["write_output"]

_GROUP: Final = 1 << 17
"""Rows of a Parquet file's group."""


def write_output(target: Path, kind: str, batches: Any, classes: Sequence[Any] | None) -> None:
    """Write all batches of a reader; the file appears when all of it is on the disk.

    The same batches make the same bytes.
    """
    new = target.with_name(f"{target.name}.new")
    try:
        {"csv": _csv, "parquet": _parquet, "arrow": _arrow, "jsonl": _jsonl}[kind](
            new, batches, classes
        )
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


def _parquet(place: Path, batches: Any, classes: Sequence[Any] | None) -> None:
    arrow, parquet = arrow_module("pyarrow"), arrow_module("pyarrow.parquet")
    with parquet.ParquetWriter(place, batches.schema, compression="zstd") as writer:
        waiting: list[Any] = []
        for batch in batches:
            waiting.append(batch)
            if sum(part.num_rows for part in waiting) >= _GROUP:
                writer.write_table(arrow.Table.from_batches(waiting), row_group_size=_GROUP)
                waiting = []
        if waiting:
            writer.write_table(arrow.Table.from_batches(waiting), row_group_size=_GROUP)


def _arrow(place: Path, batches: Any, classes: Sequence[Any] | None) -> None:
    arrow = arrow_module("pyarrow")
    is_stream = place.name.removesuffix(".new").endswith(".arrows")
    opened = arrow.ipc.new_stream if is_stream else arrow.ipc.new_file
    with opened(str(place), batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _csv(place: Path, batches: Any, classes: Sequence[Any] | None) -> None:
    arrow, csv = arrow_module("pyarrow"), arrow_module("pyarrow.csv")
    mark = "\t" if place.name.removesuffix(".new").endswith(".tsv") else ","
    options = csv.WriteOptions(delimiter=mark)
    writer = None
    try:
        for batch in batches:
            flat = _flat(arrow, batch, classes)
            if writer is None:
                writer = csv.CSVWriter(str(place), flat.schema, write_options=options)
            writer.write_table(flat)
    finally:
        if writer is not None:
            writer.close()


def _jsonl(place: Path, batches: Any, classes: Sequence[Any] | None) -> None:
    with place.open("wb") as file:
        for batch in batches:
            rows: Iterable[Any] = batch.to_pylist()
            file.writelines(
                orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE) for row in rows
            )


def _flat(arrow: Any, batch: Any, classes: Sequence[Any] | None) -> Any:
    """Lists as columns of their own."""
    columns: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        side = 1
        is_list = arrow.types.is_fixed_size_list(column.type)
        while arrow.types.is_fixed_size_list(column.type):
            side *= column.type.list_size
            column = column.flatten()
        if arrow.types.is_binary(column.type):
            column = column.cast(arrow.string())
        if not is_list:
            columns[name] = column
            continue
        whole = column.to_numpy(zero_copy_only=False).reshape(batch.num_rows, side)
        for at, part in enumerate(parts_of(name, side, classes)):
            columns[part] = arrow.array(whole[:, at])
    return arrow.table(columns)
