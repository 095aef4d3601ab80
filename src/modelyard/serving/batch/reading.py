"""Rows of a file in batches of one size, from any row on, with memory for one batch only."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from typing import TYPE_CHECKING, Any, Final

import orjson

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.formats.tables.checks import arrow_module, bad_data, check_names, guarded
from modelyard.formats.tables.columns import of_arrow
from modelyard.serving.batch.workers import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.feeding import Plan

__all__ = ["FORMATS", "digest_of", "format_of", "read_batches", "row_count"]

FORMATS: Final = {
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow",
    ".feather": "arrow", ".arrows": "arrow", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
_BLOCK: Final = 1 << 20
_STEP: Final = 1 << 14
"""Rows that are read at once at most."""
_NULLS: Final = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A"]
_ARROW: Final = {
    "float16": "float32", "float32": "float64", "bytes": "binary", "bool": "bool_",
}  # fmt: skip


def format_of(path: Path) -> str:
    """By its name. InvalidInput: `bad-format`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    found = FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise InvalidInput(
            "bad-format", f"{path.name}: the end of the name tells no format",
            hint=f"one of {' '.join(FORMATS)}",
        )  # fmt: skip
    return found


def digest_of(path: Path) -> str:
    """What tells a file from another: size, time of the last change, beginning and end."""
    told = path.stat()
    size = told.st_size
    found = hashlib.sha256(f"{size} {told.st_mtime_ns}".encode())
    with path.open("rb") as file:
        found.update(file.read(_BLOCK))
        file.seek(max(0, size - _BLOCK))
        found.update(file.read(_BLOCK))
    return found.hexdigest()


def row_count(path: Path) -> int | None:
    """Rows of a Parquet file, by its end; None where only reading it would tell."""
    if format_of(path) != "parquet":
        return None
    with guarded(path):
        return int(arrow_module("pyarrow.parquet").read_metadata(path).num_rows)


def read_batches(
    path: Path, plan: Plan, size: int, *, start: int = 0, keep: Sequence[str] = ()
) -> Iterator[Batch]:
    """The rows from `start` on, `size` at a time.

    Args:
        keep: Columns that are handed through.

    Raises:
        InvalidInput: `bad-data`, `bad-format`, `no-column`.
        Unsupported: `no-extra`: without pyarrow.
    """
    kind = format_of(path)
    with guarded(path):
        if kind == "jsonl":
            yield from _lines(path, plan, size, start, keep)
            return
        pieces = {"csv": _csv, "parquet": _parquet, "arrow": _ipc}[kind](path, plan, start, keep)
        arrow = arrow_module("pyarrow")
        for place, table in _evenly(arrow, pieces, size, start):
            yield _batch(plan, table, place, keep)


def _batch(plan: Plan, table: Any, start: int, keep: Sequence[str]) -> Batch:
    missing = [name for name in keep if name not in table.column_names]
    if missing:
        raise InvalidInput(
            "no-column", f"the data lacks {', '.join(map(repr, missing[:10]))}",
            hint=f"there are {', '.join(table.column_names[:12])}",
        )  # fmt: skip
    given = _given(plan, table.column_names, keep)
    inputs = table.select(given)
    return Batch(
        lambda: plan.of_table(Table(of_arrow(inputs))),
        table.select(list(keep)) if keep else None, start, table.num_rows,
    )  # fmt: skip


def _given(plan: Plan, names: Sequence[str], keep: Sequence[str]) -> list[str]:
    """The columns that the model gets: by name, or else all but those only to be kept."""
    if plan.way == "matrix" and plan.names[0] not in names:
        if len(names) == plan.width:
            return list(names)
        return [name for name in names if name not in keep]
    return [name for name in names if name in plan.names]


def _evenly(arrow: Any, pieces: Iterable[Any], size: int, start: int) -> Iterator[tuple[int, Any]]:
    """Pieces of any length as tables of one; the last is shorter."""
    waiting: list[Any] = []
    rows = 0
    for piece in pieces:
        while piece.num_rows:
            part = piece.slice(0, size - rows)
            piece = piece.slice(part.num_rows)
            waiting.append(part)
            rows += part.num_rows
            if rows == size:
                yield start, arrow.Table.from_batches(waiting)
                start += rows
                waiting, rows = [], 0
    if rows:
        yield start, arrow.Table.from_batches(waiting)


def _skipped(batches: Iterable[Any], rows: int) -> Iterator[Any]:
    for batch in batches:
        if rows >= batch.num_rows:
            rows -= batch.num_rows
            continue
        yield batch.slice(rows)
        rows = 0


def _parquet(path: Path, plan: Plan, start: int, keep: Sequence[str]) -> Iterator[Any]:
    parquet = arrow_module("pyarrow.parquet")
    with parquet.ParquetFile(path, buffer_size=_BLOCK, pre_buffer=False) as file:
        names = file.schema_arrow.names
        check_names(names, path.name)
        wanted = [n for n in names if n in {*_given(plan, names, keep), *keep}]
        group = 0
        while group < file.num_row_groups and start >= file.metadata.row_group(group).num_rows:
            start -= file.metadata.row_group(group).num_rows
            group += 1
        groups = list(range(group, file.num_row_groups))
        if groups:
            yield from _skipped(
                file.iter_batches(_STEP, row_groups=groups, columns=wanted, use_threads=False),
                start,
            )


def _ipc(path: Path, plan: Plan, start: int, keep: Sequence[str]) -> Iterator[Any]:
    arrow = arrow_module("pyarrow")
    with arrow.OSFile(str(path)) as source:
        begins = source.read(6)
        source.seek(0)
        if begins != b"ARROW1":
            with arrow.ipc.open_stream(source) as reader:
                check_names(reader.schema.names, path.name)
                yield from _skipped(_sound(reader), start)
            return
        with arrow.ipc.open_file(source) as reader:
            check_names(reader.schema.names, path.name)
            batches = (reader.get_batch(at) for at in range(reader.num_record_batches))
            yield from _skipped(_sound(batches), start)


def _sound(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        batch.validate(full=True)  # nothing else may look at it before
        yield batch


def _csv(path: Path, plan: Plan, start: int, keep: Sequence[str]) -> Iterator[Any]:
    """Columns have the types that the model takes, and never what their first rows look like."""
    arrow, reader = arrow_module("pyarrow"), arrow_module("pyarrow.csv")
    with arrow.input_stream(str(path), compression="detect") as file:
        first = file.read(_BLOCK).partition(b"\n")[0]
    try:
        line = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise bad_data(f"{path.name} is not UTF-8") from None
    mark = max(",;\t", key=line.count)
    names = next(csv.reader(io.StringIO(line), delimiter=mark), [])
    check_names(names, path.name)
    given = _given(plan, names, keep)
    specs = {spec.name: spec for spec in plan.inputs}
    types = {name: arrow.string() for name in (*keep, *given)}
    for name in given:
        types[name] = _type(arrow, specs.get(name, plan.inputs[0]))
    with (
        arrow.input_stream(str(path), compression="detect") as file,
        reader.open_csv(
            file,
            read_options=reader.ReadOptions(block_size=_BLOCK, use_threads=False),
            parse_options=reader.ParseOptions(delimiter=mark, newlines_in_values=True),
            convert_options=reader.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=True,
                quoted_strings_can_be_null=False, null_values=_NULLS,
            ),
        ) as batches,
    ):  # fmt: skip
        yield from _skipped(batches, start)


def _type(arrow: Any, spec: TensorSpec) -> Any:
    name = _ARROW.get(spec.dtype, spec.dtype)
    if name.startswith("datetime64"):
        return arrow.timestamp("ns")
    return getattr(arrow, name)()


def _lines(path: Path, plan: Plan, size: int, start: int, keep: Sequence[str]) -> Iterator[Batch]:
    arrow = arrow_module("pyarrow")
    with path.open("rb") as packed:
        is_packed = packed.read(2) == b"\x1f\x8b"
    with gzip.open(path) if is_packed else path.open("rb") as text:
        lines: list[bytes] = []
        place = 0
        for line in text:
            if not line.strip():
                continue
            place += 1
            if place <= start:
                continue
            lines.append(line)
            if len(lines) == size:
                yield _records(arrow, plan, lines, place - size, keep)
                lines = []
        if lines:
            yield _records(arrow, plan, lines, place - len(lines), keep)


def _records(arrow: Any, plan: Plan, lines: list[bytes], start: int, keep: Sequence[str]) -> Batch:
    try:
        records = [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError as error:
        raise bad_data(f"rows from {start:,} on: {error}") from None
    kept = None
    if keep:
        if any(not isinstance(record, dict) for record in records):
            raise bad_data(f"rows from {start:,} on: a line is no object")
        kept = arrow.table({name: [record.get(name) for record in records] for name in keep})
    rows = plan.of_records if isinstance(records[0], dict) else plan.of_rows
    return Batch(lambda: rows(records), kept, start, len(records))
