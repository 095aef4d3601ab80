"""Rows of a file in batches of one size, from any row on, with memory for one batch only."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.formats.tables.checks import arrow_module, bad_data, check_names, guarded
from modelyard.formats.tables.columns import of_arrow
from modelyard.serving.batch.workers import Batch
from modelyard.serving.casting import GAPS
from modelyard.serving.tabular import has_names

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
_NULLS: Final = sorted(GAPS)
_ARROW: Final = {
    "float16": "float32", "float32": "float64", "bytes": "binary", "bool": "bool_",
}  # fmt: skip


def format_of(path: Path) -> str:
    """By its name. InvalidInput: `bad-format`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    is_packed = suffixes[-1:] == [".gz"]
    if is_packed:
        suffixes.pop()
    found = FORMATS.get(suffixes[-1]) if suffixes else None
    if is_packed and found not in (None, "csv", "jsonl"):
        raise InvalidInput(
            "bad-format", f"{path.name}: a file of this format is packed by itself",
            hint="leave .gz out; CSV and JSON lines may have it",
        )  # fmt: skip
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
            yield _batch(plan, table, place, len(keep))


def _batch(plan: Plan, table: Any, start: int, kept: int) -> Batch:
    """Of a table whose last columns are those that are kept, whatever their names."""
    edge = table.num_columns - kept
    inputs = table.select(list(range(edge)))
    return Batch(
        lambda: plan.of_table(Table(of_arrow(inputs))),
        _plain(table.select(list(range(edge, table.num_columns)))) if kept else None,
        start, table.num_rows,
    )  # fmt: skip


def _plain(table: Any) -> Any:
    """Without dictionaries: those of later batches differ, and an Arrow file takes one only."""
    arrow = arrow_module("pyarrow")
    fields = [
        arrow.field(each.name, each.type.value_type)
        if arrow.types.is_dictionary(each.type) else each for each in table.schema
    ]  # fmt: skip
    return table.cast(arrow.schema(fields))


def _given(plan: Plan, names: Sequence[str], keep: Sequence[str]) -> list[str]:
    """The columns that the model gets: by name, or else all but those only to be kept.

    Raises:
        InvalidInput: `no-column`: what should be kept is not there.
    """
    missing = [name for name in keep if name not in names]
    if missing:
        raise InvalidInput(
            "no-column", f"the data lacks {', '.join(map(repr, missing[:10]))}",
            hint=f"there are {', '.join(names[:12])}",
        )  # fmt: skip
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


def _ordered(batches: Iterable[Any], columns: list[str]) -> Iterator[Any]:
    """Inputs, then what is kept: a column may be both."""
    return (batch.select(columns) for batch in batches)


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
        columns = [*_given(plan, names, keep), *keep]
        group = 0
        while group < file.num_row_groups and start >= file.metadata.row_group(group).num_rows:
            start -= file.metadata.row_group(group).num_rows
            group += 1
        groups = list(range(group, file.num_row_groups))
        if groups:
            read = file.iter_batches(
                _STEP, row_groups=groups, columns=list(dict.fromkeys(columns)), use_threads=False
            )
            yield from _skipped(_ordered(read, columns), start)


def _ipc(path: Path, plan: Plan, start: int, keep: Sequence[str]) -> Iterator[Any]:
    arrow = arrow_module("pyarrow")
    with arrow.OSFile(str(path)) as source:
        begins = source.read(6)
        source.seek(0)
        if begins != b"ARROW1":
            with arrow.ipc.open_stream(source) as reader:
                yield from _skipped(_sound(reader, reader.schema, path, plan, keep), start)
            return
        with arrow.ipc.open_file(source) as reader:
            batches = (reader.get_batch(at) for at in range(reader.num_record_batches))
            yield from _skipped(_sound(batches, reader.schema, path, plan, keep), start)


def _sound(
    batches: Iterable[Any], schema: Any, path: Path, plan: Plan, keep: Sequence[str]
) -> Iterator[Any]:
    check_names(schema.names, path.name)
    columns = [*_given(plan, schema.names, keep), *keep]
    for batch in batches:
        batch.validate(full=True)  # nothing else may look at it before
        yield batch.select(columns)


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
    cells = next(csv.reader(io.StringIO(line), delimiter=mark), [])
    names, own = _names(plan, cells, path.name)
    specs = {spec.name: spec for spec in plan.inputs}
    given = {
        name: _type(arrow, specs.get(name, plan.inputs[0])) for name in _given(plan, names, keep)
    }
    kept = {name: arrow.string() for name in keep}

    @contextmanager
    def opened(types: dict[str, Any], *, gaps: bool) -> Iterator[Any]:
        with (
            arrow.input_stream(str(path), compression="detect") as file,
            reader.open_csv(
                file,
                read_options=reader.ReadOptions(
                    block_size=_BLOCK, use_threads=False, column_names=own
                ),
                parse_options=reader.ParseOptions(delimiter=mark, newlines_in_values=True),
                convert_options=reader.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    strings_can_be_null=gaps,
                    quoted_strings_can_be_null=False,
                    null_values=_NULLS,
                ),
            ) as batches,
        ):
            yield batches

    with opened(given, gaps=True) as batches:
        if not keep:
            yield from _skipped(batches, start)
            return
        with opened(kept, gaps=False) as texts:  # as it is written: 007 and NA are no gaps
            yield from _skipped(_beside(arrow, batches, texts, keep), start)


def _names(plan: Plan, first: list[str], where: str) -> tuple[list[str], list[str] | None]:
    """Names of the columns of CSV, and the same again if its first line has none."""
    if not first or has_names(plan, first):
        check_names(first, where)
        return first, None
    if plan.way == "matrix" or len(first) != len(plan.names):
        names = [str(at) for at in range(len(first))]
    else:
        names = list(plan.names)
    return names, names


def _beside(arrow: Any, left: Any, right: Any, keep: Sequence[str]) -> Iterator[Any]:
    """Two readings of one file, whose blocks end at the same rows."""
    for one, other in zip(left, right, strict=True):
        yield arrow.RecordBatch.from_arrays(
            [*one.columns, *(other.column(name) for name in keep)],
            names=[*one.schema.names, *keep],
        )


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
        kept = arrow.table({
            name: arrow.array([_json(record.get(name)) for record in records], arrow.string())
            for name in keep
        })  # fmt: skip
    rows = plan.of_records if isinstance(records[0], dict) else plan.of_rows
    return Batch(lambda: rows(records), kept, start, len(records))


def _json(value: Any) -> str | None:
    """A value that is kept: of the lines to come nobody knows the types."""
    return None if value is None else orjson.dumps(value).decode()
