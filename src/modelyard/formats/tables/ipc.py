"""What batches of an Arrow file take once unpacked, by their headers, before any is unpacked.

Facts of `format/File.fbs` and `format/Message.fbs` of Apache Arrow: headers are flatbuffers, and a
buffer of a packed batch begins with its size (int64, -1 where it is not packed after all).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from modelyard.formats.tables.checks import arrow_module

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["unpacked_sizes"]

_END: Final = 10  # of a file: the footer's length as int32, then ARROW1
_BLOCK: Final = 24
_DICTIONARY: Final = 2
_BATCH: Final = 3


def unpacked_sizes(source: Any) -> Iterator[int]:
    """For each batch of rows the bytes of it and of dictionaries before it.

    Args:
        source: An open `pyarrow.NativeFile` at its begin.

    Raises:
        pyarrow.ArrowInvalid, ValueError, struct.error: It is damaged.
    """
    begins = source.read(6)
    source.seek(0)
    size = 0
    for message in _of_file(source) if begins == b"ARROW1" else _of_stream(source):
        kind, taken = _measured(message)
        size += taken
        if kind == _BATCH:
            yield size
            size = 0
    if size:
        yield size


def _of_stream(source: Any) -> Iterator[Any]:
    yield from arrow_module("pyarrow").ipc.MessageReader.open_stream(source)


def _of_file(source: Any) -> Iterator[Any]:
    """The messages that the footer names: dictionaries first, as they are read."""
    source.seek(source.size() - _END)
    (length,) = struct.unpack("<i", source.read(4))
    source.seek(source.size() - _END - length)
    footer = source.read(length)
    root = _number("<I", footer, 0)
    for field in (2, 3):
        start, count = _vector(footer, root, field)
        if count * _BLOCK > length:
            raise ValueError("its footer is damaged")
        for place in range(start, start + count * _BLOCK, _BLOCK):
            source.seek(_number("<q", footer, place))
            yield arrow_module("pyarrow").ipc.read_message(source)


def _measured(message: Any) -> tuple[int, int]:
    """The kind of a message, and the bytes that its buffers become."""
    header = message.metadata.to_pybytes()
    root = _number("<I", header, 0)
    place = _field(header, root, 1)
    kind = header[place] if place else 0
    if kind not in (_DICTIONARY, _BATCH):
        return kind, 0
    batch = _table(header, root, 2)
    if kind == _DICTIONARY:
        batch = _table(header, batch, 1)
    start, count = _vector(header, batch, 2)
    if count * 16 > len(header):
        raise ValueError("a header of it is damaged")
    packed = bool(_field(header, batch, 3))
    total = 0
    for offset, length in struct.iter_unpack("<qq", header[start : start + 16 * count]):
        if packed and length >= 8 and offset >= 0:
            size = _number("<q", message.body, offset)
            total += length if size < 0 else size
        else:
            total += max(0, length)
    return kind, total


def _table(data: bytes, table: int, index: int) -> int:
    """Where a table in a field of a table begins."""
    place = _field(data, table, index)
    return place + _number("<I", data, place)


def _field(data: bytes, table: int, index: int) -> int:
    """Where a field of a table lies; 0 if it has none."""
    fields = table - _number("<i", data, table)
    if 4 + 2 * index + 2 > _number("<H", data, fields):
        return 0
    offset = _number("<H", data, fields + 4 + 2 * index)
    return table + offset if offset else 0


def _vector(data: bytes, table: int, index: int) -> tuple[int, int]:
    """Where the elements of a vector begin, and how many there are."""
    place = _field(data, table, index)
    if not place:
        return 0, 0
    start = place + _number("<I", data, place)
    return start + 4, _number("<I", data, start)


def _number(code: str, data: Any, place: int) -> int:
    if place < 0:
        raise ValueError("a header of it is damaged")
    (number,) = struct.unpack_from(code, data, place)
    return int(number)
