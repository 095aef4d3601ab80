"""Files that pyarrow reads: Parquet, Arrow (Feather), JSON lines, CSV."""

from __future__ import annotations

import io
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from modelyard.formats.reading import printable
from modelyard.formats.tables.checks import (
    arrow_module,
    bad_data,
    check_names,
    check_size,
    chosen,
    not_utf8,
    opened,
)
from modelyard.formats.tables.columns import check_text, of_arrow
from modelyard.formats.tables.ipc import unpacked_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from modelyard.core.table import Table

__all__ = ["read_csv", "read_ipc", "read_ipc_bytes", "read_json", "read_parquet"]

_LARGEST_TEXT: Final = 100_000_000
_MOST_PARTS: Final = 1_000_000
_FEW: Final = 100_000
_LARGEST_DICTIONARY: Final = 1 << 30
_DELTA: Final = "DELTA_BYTE_ARRAY"
_NOTHING: Final = np.empty(0)
_NULLS: Final = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A")


def read_parquet(
    path: Path, columns: Sequence[str] | None, limit: int | None, memory: int
) -> Table:
    parquet = arrow_module("pyarrow.parquet")
    bounds = {
        "thrift_string_size_limit": _LARGEST_TEXT, "thrift_container_size_limit": _MOST_PARTS
    }  # fmt: skip
    with parquet.ParquetFile(path, **bounds) as file:
        texts = _texts(file.metadata)
    with parquet.ParquetFile(path, read_dictionary=texts, **bounds) as file:
        names = file.schema_arrow.names
        check_names(names, path.name)
        wanted = _wanted(names, columns)
        if columns is not None and len(wanted) < len(set(columns)):
            return chosen(dict.fromkeys(names, _NOTHING), columns, limit)
        groups, size = _groups(file.metadata, limit, wanted)
        check_size(size, memory, path.name)
        arrow = arrow_module("pyarrow")
        schema = arrow.schema([file.schema_arrow.field(name) for name in wanted])
        step = _step(file.metadata, memory)
        if limit is None and step is None:
            read = (file.read_row_group(number, columns=wanted) for number in groups)
            tables = list(_narrow(read, memory, path.name))
            found = arrow.concat_tables(tables) if tables else schema.empty_table()
        else:
            size = min(step or 1 << 16, 1 << 16 if limit is None else limit) or 1
            pieces = (
                piece  # of one group each: dictionaries in lists can't be put together
                for number in groups
                for piece in file.iter_batches(size, row_groups=[number], columns=wanted)
            )
            batches = list(_upto(_narrow(pieces, memory, path.name), limit))
            found = arrow.Table.from_batches(batches, schema)
    check_text(found, memory, path.name)
    return _finished(found, columns, limit)


def _texts(metadata: Any) -> list[str]:
    """Columns to read as dictionaries: a text that a file holds once stays one until it's measured.

    One of two gigabytes can't be read so, and is as large as it says.
    """
    found = []
    for place in range(metadata.num_columns):
        if metadata.schema.column(place).physical_type == "BYTE_ARRAY":
            parts = (metadata.row_group(n).column(place) for n in range(metadata.num_row_groups))
            if all(_fits_dictionary(part) for part in parts):
                found.append(metadata.schema.column(place).path)
    return found


def _fits_dictionary(part: Any) -> bool:
    deltas = any(encoding.startswith("DELTA") for encoding in part.encodings)
    return not deltas and part.total_uncompressed_size < _LARGEST_DICTIONARY


def _step(metadata: Any, memory: int) -> int | None:
    """How many rows to read at once; None for as many as there are.

    Text as differences (DELTA_BYTE_ARRAY) may repeat all of a column in each of its rows.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    parts = [group.column(place) for group in groups for place in range(group.num_columns)]
    sizes = [part.total_uncompressed_size for part in parts if _DELTA in part.encodings]
    return max(1, min(1 << 16, memory // max(1, *sizes))) if sizes else None


def _narrow(pieces: Iterator[Any], memory: int, where: str) -> Iterator[Any]:
    size = 0
    for piece in pieces:
        check_text(piece, memory, where)
        size += sum(c.nbytes for c in piece.columns if "dictionary" not in str(c.type))
        check_size(size, memory, where)
        yield piece


def _groups(metadata: Any, limit: int | None, wanted: Sequence[str]) -> tuple[list[int], int]:
    """Row groups that hold the first rows, and what their columns take at least."""
    groups: list[int] = []
    rows = size = 0
    for number in range(metadata.num_row_groups):
        if limit is not None and rows >= limit and groups:
            break
        group = metadata.row_group(number)
        groups.append(number)
        rows += group.num_rows
        parts = [group.column(i) for i in range(group.num_columns)]
        sizes = [
            max(p.total_uncompressed_size, p.num_values * max(8, metadata.schema.column(i).length))
            for i, p in enumerate(parts)
            if p.path_in_schema.split(".")[0] in wanted
        ]
        size += max(sum(sizes), 8 * group.num_rows * len(wanted))
    return groups, size


def read_ipc(path: Path, columns: Sequence[str] | None, limit: int | None, memory: int) -> Table:
    arrow = arrow_module("pyarrow")
    check_size(path.stat().st_size, memory, path.name)
    with arrow.memory_map(str(path)) as source, arrow.memory_map(str(path)) as headers:
        found = _ipc(source, headers, limit, memory, path.name)
    return _finished(found, columns, limit)


def read_ipc_bytes(data: bytes, memory: int, where: str) -> Table:
    """A stream, or a file, that is in memory."""
    arrow = arrow_module("pyarrow")
    with arrow.BufferReader(data) as source, arrow.BufferReader(data) as headers:
        found = _ipc(source, headers, None, memory, where)
    return _finished(found, None, None)


def _ipc(source: Any, headers: Any, limit: int | None, memory: int, where: str) -> Any:
    """Batches as a table, none of them larger than the memory once it is unpacked."""
    arrow = arrow_module("pyarrow")
    begins = source.read(6)
    source.seek(0)
    opens = arrow.ipc.open_file if begins == b"ARROW1" else arrow.ipc.open_stream
    with opens(source) as reader:
        check_names(reader.schema.names, where)
        sizes = unpacked_sizes(headers)
        batches = list(_upto(_bounded(_batches(reader), sizes, memory, where), limit))
        found = arrow.Table.from_batches(batches, reader.schema)
    check_text(found, memory, where)
    return found


def _batches(reader: Any) -> Iterator[Any]:
    if not hasattr(reader, "get_batch"):
        yield from reader
        return
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def _bounded(
    batches: Iterator[Any], sizes: Iterator[int], memory: int, where: str
) -> Iterator[Any]:
    """Batches, each read after its header has told its size."""
    told = size = 0
    for unpacked in sizes:
        told += unpacked
        check_size(told, memory, where)
        for batch in islice(batches, 1):
            batch.validate(full=True)  # nothing else may look at it before
            size += batch.nbytes
            check_size(size, memory, where)
            yield batch


def _upto(batches: Iterator[Any], limit: int | None) -> Iterator[Any]:
    rows = 0
    while limit is None or rows < limit:
        for batch in islice(batches, 1):
            rows += batch.num_rows
            yield batch
            break
        else:
            return


def read_json(path: Path, columns: Sequence[str] | None, limit: int | None, memory: int) -> Table:
    """One object a line."""
    reader = arrow_module("pyarrow.json")
    with opened(path, memory) as file:
        first = file.read(1)
        file.seek(0)
        if first == b"[":
            raise bad_data(
                f"{path.name} is one JSON list", hint="write one object a line: jq -c '.[]'"
            )
        found = reader.read_json(file)
    check_names(found.column_names, path.name)
    return _finished(found, columns, limit)


def read_csv(
    path: Path, columns: Sequence[str] | None, limit: int | None, memory: int, delimiter: str
) -> Table:
    arrow = arrow_module("pyarrow")
    with opened(path, memory) as whole:
        file = whole if limit is None or limit > _FEW else _beginning(whole, limit)
        try:
            found = _csv(file, delimiter)
        except arrow.ArrowInvalid as error:
            said = str(error)
        else:
            if any(arrow.types.is_binary(kind) for kind in found.schema.types):
                raise not_utf8(path.name)
            check_names(found.column_names, path.name)
            return _finished(found, columns, limit)
    raise bad_data(_with_line(path, memory, delimiter, said))


def _csv(file: Any, delimiter: str, *, threads: bool = True) -> Any:
    reader = arrow_module("pyarrow.csv")
    return reader.read_csv(
        file,
        read_options=reader.ReadOptions(use_threads=threads),
        parse_options=reader.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=reader.ConvertOptions(
            strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=list(_NULLS)
        ),
    )


def _beginning(file: BinaryIO, limit: int) -> BinaryIO:
    """The head and the first rows: a line break inside of quotes ends none."""
    lines: list[bytes] = []
    quotes = records = 0
    for line in file:
        lines.append(line)
        quotes += line.count(b'"')
        records += quotes % 2 == 0 and not line.isspace()
        if records > limit:
            break
    return io.BytesIO(b"".join(lines))


def _with_line(path: Path, memory: int, delimiter: str, said: str) -> str:
    """pyarrow tells the line only when it reads with one thread."""
    arrow = arrow_module("pyarrow")
    with opened(path, memory) as file:
        try:
            _csv(file, delimiter, threads=False)
        except arrow.ArrowInvalid as error:
            said = str(error)
    row = re.search(r"Row #(\d+): (.*)", said)
    told = f"line {row[1]}: {row[2]}" if row else said.removeprefix("CSV parse error: ")
    return f"{path.name} can't be read: {printable(told)}"


def _wanted(names: Sequence[str], columns: Sequence[str] | None) -> list[str]:
    """The columns to read; those that are missing are told when the table is made."""
    return [name for name in names if columns is None or name in columns]


def _finished(found: Any, columns: Sequence[str] | None, limit: int | None) -> Table:
    wanted = _wanted(found.column_names, columns)
    if columns is not None and len(wanted) < len(set(columns)):
        arrays = dict.fromkeys(found.column_names, _NOTHING)  # to say what there is
        return chosen(arrays, columns, limit)
    found = found.select(wanted)
    return chosen(of_arrow(found if limit is None else found.slice(0, limit)), columns, None)
