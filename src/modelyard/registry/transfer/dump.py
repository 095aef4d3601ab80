"""The catalog's rows in one piece, for any database: docs/spec/backup-1.md, section 2.

Left out is what belongs to one machine or one moment: places of files, leases, what servers say of
deployments, the search index (which is made again), and what pairs a catalog with its store.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import sqlalchemy as sa
import zstandard

from modelyard.catalog.migrate import HEAD, REVISIONS
from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.queries.search_documents import index_labels, index_model, index_version
from modelyard.catalog.schema import (
    fact,
    file,
    label,
    metadata,
    model,
    pack,
    version,
    watch_tile,
)
from modelyard.core.decoding import decode_packed, packed_decoder
from modelyard.core.merge import is_hidden
from modelyard.errors import Corrupt, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Head", "load_dump", "read_dump", "write_dump"]

_MAGIC = b"yarddump\x01"
_LEFT_OUT = (
    "place", "lease", "deployment_server", "watch_lease", "watch_answer", "watch_waiting",
    "optimization_served",
)  # fmt: skip
_DAYS = 2
"""Level of the tiles that are dumped: those of minutes and hours would be most of a dump."""
_USED = ("open", "live")
_OWN_FACTS = ("yard", "gate")
_ROWS = 500
_MESSAGE = 1 << 20
"""Bytes of rows that are put into one message, unless one row is larger."""
_LARGEST = 128 << 20
"""Of one message: no report is larger."""
_RATIO = 1000
"""No honest dump becomes so much longer when it is decompressed."""

_ODD = (
    TypeError, ValueError, KeyError, AttributeError, OverflowError, sa.exc.StatementError,
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()
_Rows = Annotated[list[Any], msgspec.Meta(max_length=_ROWS)]
_Cells = Annotated[list[msgspec.Raw], msgspec.Meta(max_length=64)]
_decoder = packed_decoder(list[str | _Rows])
_large = packed_decoder(
    list[str | Annotated[list[_Cells], msgspec.Meta(max_length=_ROWS)]]
)  # of which no cell is looked into


class Head(msgspec.Struct, frozen=True):
    """What a dump says of itself."""

    revision: str
    """Of the schema."""
    time: int
    """Microseconds since 1970, by the catalog's clock."""
    versions: int
    packs: list[tuple[str, str, int]]
    """Key, state and indexed size of every pack that it needs."""


def write_dump(connection: sa.Connection, now: int) -> tuple[Head, bytes]:
    """Every row, as one view of the catalog has them, but for packs that are to go."""
    packs = connection.execute(
        sa.select(pack.c.name, pack.c.state, pack.c.size)
        .where(pack.c.state.in_(_USED))
        .order_by(pack.c.id)
    )
    count = connection.execute(sa.select(sa.func.count()).select_from(version)).scalar_one()
    head = Head(HEAD, now, int(count), [(row.name, row.state, row.size) for row in packs])
    out = io.BytesIO()
    out.write(_MAGIC)
    with zstandard.ZstdCompressor(level=3).stream_writer(out, closefd=False) as stream:
        _write(stream, msgspec.to_builtins(head))
        for table in metadata.sorted_tables:
            if table.name not in _LEFT_OUT:
                _write_table(connection, table, stream)
        _write(stream, ["end"])
    return head, out.getvalue()


def _write_table(connection: sa.Connection, table: sa.Table, stream: Any) -> None:
    columns = [str(column.name) for column in table.columns]
    _write(stream, ["table", str(table.name), columns])
    statement = sa.select(table)
    if table is pack:
        statement = statement.where(pack.c.state.in_(_USED))
    if table is watch_tile:
        statement = statement.where(watch_tile.c.level >= _DAYS)
    if table is fact:
        statement = statement.where(fact.c.name.not_in(_OWN_FACTS))
    result = connection.execution_options(yield_per=_ROWS).execute(statement)
    for rows in result.partitions():
        some: list[list[Any]] = []
        size = 0
        for row in rows:
            length = sum(len(value) for value in row if isinstance(value, str | bytes))
            if some and size + length > _MESSAGE:
                _write(stream, ["rows", some])
                some, size = [], 0
            some.append(list(row))
            size += length
        _write(stream, ["rows", some])


def _write(stream: Any, message: object) -> None:
    encoded = _encoder.encode(message)
    stream.write(len(encoded).to_bytes(4, "little") + encoded)


def read_dump(data: bytes) -> tuple[Head, Iterator[tuple[str, list[str], list[list[Any]]]]]:
    """A dump's head, and its rows by table: name, columns, some rows at a time.

    Raises:
        Corrupt: `bad-dump`, also while rows are read: a cut dump has no end.
        Unsupported: `dump-newer`.
    """
    if data[: len(_MAGIC)] != _MAGIC:
        raise _bad("it does not begin as one")
    messages = _messages(data)
    try:
        head = decode_packed(next(messages), Head)
    except (msgspec.MsgspecError, StopIteration, RecursionError):
        raise _bad("its head can't be read") from None
    if head.revision not in REVISIONS:
        raise Unsupported(
            "dump-newer", f"the catalog was dumped by a newer modelyard ({head.revision})",
            hint="upgrade modelyard",
        )  # fmt: skip
    return head, _tables(messages)


def _tables(messages: Iterator[Any]) -> Iterator[tuple[str, list[str], list[list[Any]]]]:
    name: str = ""
    columns: list[str] = []
    for message in map(_decoded, messages):
        match message:
            case ["table", str(name), list(columns)]:
                yield name, columns, []
            case ["rows", list(rows)] if name:
                yield name, columns, rows
            case ["end"]:
                return
            case _:
                raise _bad("a part of it has no meaning")
    raise _bad("it is cut")


def _decoded(message: bytes) -> list[Any]:
    try:
        if len(message) > 4 * _MESSAGE:
            parts = [part for part in _large.decode(message) if not isinstance(part, str)]
            if any(_is_list(cell) for part in parts for row in part for cell in row):
                raise _bad("a row of it makes no sense")
        return _decoder.decode(message)
    except (msgspec.MsgspecError, RecursionError):
        raise _bad("it is cut or altered") from None


def _is_list(cell: msgspec.Raw) -> bool:
    """Whether a value of MessagePack is a list or a map, which no row has."""
    first = memoryview(cell)[0]
    return 0x80 <= first <= 0x9F or 0xDC <= first <= 0xDF


def _messages(data: bytes) -> Iterator[bytes]:
    left = _LARGEST + _RATIO * len(data)
    try:
        with zstandard.ZstdDecompressor().stream_reader(data[len(_MAGIC) :]) as stream:
            while True:
                size = int.from_bytes(_exactly(stream, 4), "little")
                left -= size
                if size > _LARGEST or left < 0:
                    raise _bad("a part of it is too large")
                yield _exactly(stream, size)
    except (zstandard.ZstdError, EOFError):
        raise _bad("it is cut or altered") from None


def _exactly(stream: Any, size: int) -> bytes:
    parts = []
    while size:
        part = stream.read(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def load_dump(connection: sa.Connection, data: bytes) -> Head:
    """Fill an empty catalog; everything can be found again. Corrupt: `bad-dump`."""
    try:
        return _load(connection, data)
    except (sa.exc.IntegrityError, sa.exc.DataError, *_ODD) as error:
        if isinstance(error, sa.exc.OperationalError):
            raise  # the database's fault
        raise _bad("a row of it makes no sense") from error


def _load(connection: sa.Connection, data: bytes) -> Head:
    head, tables = read_dump(data)
    for name, columns, rows in tables:
        table = metadata.tables.get(name)
        if table is None or not set(columns) <= set(table.columns.keys()):
            raise _bad(f"it has a table {name[:40]!r} that is not known")
        if any(len(row) != len(columns) for row in rows):
            raise _bad(f"a row of {name} is cut")
        if rows:
            values = [dict(zip(columns, row, strict=True)) for row in rows]
            connection.execute(sa.insert(table), values)
    _continue_numbers(connection)
    _index(connection)
    return head


def _continue_numbers(connection: sa.Connection) -> None:
    """Rows that come get numbers after those that were loaded; others see to it themselves."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.columns.get("id")
        if column is not None and table.autoincrement_column is column:
            connection.execute(
                sa.text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                    f"(SELECT coalesce(max(id), 0) + 1 FROM {table.name}), false)"
                )
            )


def _index(connection: sa.Connection) -> None:
    marks: dict[tuple[int, int], dict[str, str]] = {}
    for row in connection.execute(sa.select(label)):
        marks.setdefault((row.model_id, row.number), {})[row.name] = row.value
    for row in connection.execute(sa.select(model)).all():
        index_model(connection, row.id, row.name, row.description, marks.get((row.id, 0)))
    keys = connection.execute(sa.select(version.c.id)).scalars().all()
    for batch in batches(keys):
        paths: dict[int, list[str]] = {}
        wanted = sa.select(file.c.version_id, file.c.path).where(file.c.version_id.in_(batch))
        for row in connection.execute(wanted):
            if not is_hidden(row.path):
                paths.setdefault(row.version_id, []).append(row.path)
        for row in connection.execute(sa.select(version).where(version.c.id.in_(batch))).all():
            index_version(
                connection, row.id,
                model_id=row.model_id, message=row.message, author=row.author, branch=row.branch,
                framework=row.framework, formats=row.formats.split(), paths=paths.get(row.id, ()),
            )  # fmt: skip
            found = marks.get((row.model_id, row.number))
            if found:
                index_labels(connection, row.model_id, row.number, found)


def _bad(reason: str) -> Corrupt:
    return Corrupt("bad-dump", f"a dump of a catalog can't be used: {reason}")
