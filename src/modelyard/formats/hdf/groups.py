"""Links of HDF5 groups: symbol tables of the old format, link messages of the new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.formats.hdf.heaps import heap_objects
from modelyard.formats.hdf.objects import KIND, NOWHERE, Bytes, Part
from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Link", "links"]

_SYMBOLS = 200_000
_SOFT = 2


@dataclass(frozen=True, slots=True)
class Link:
    """A name in a group: of an object in this file, or of something elsewhere."""

    name: str
    address: int | None
    outside: str = ""
    """The other file, for external links."""


def links(data: Bytes, parts: list[Part]) -> Iterator[Link]:
    """All links of a group, in the order of the file."""
    for part in parts:
        if part.kind == 0x11:
            yield from _symbols(data, data.number(part.start, 8), data.number(part.start + 8, 8))
        elif part.kind == 0x06:
            yield _link(data, part.start, part.end)
        elif part.kind == 0x02:
            at = part.start + (10 if data.number(part.start + 1, 1) & 1 else 2)
            heap, tree = data.number(at, 8), data.number(at + 8, 8)
            if heap != NOWHERE:
                for start, end in heap_objects(data, heap, tree):
                    yield _link(data, start, end)


def _symbols(data: Bytes, tree: int, heap: int) -> Iterator[Link]:
    data.expect(heap, b"HEAP")
    size, names = data.number(heap + 8, 8), data.number(heap + 24, 8)
    if size > data.region.size - names:
        raise bad(KIND, "a heap of names is longer than the file")
    todo, seen, count = [tree], {tree}, 0
    while todo:
        at = todo.pop()
        if data.region.read(at, 4) == b"SNOD":
            symbols = data.number(at + 6, 2)
            count += symbols
            if count > _SYMBOLS:
                raise bad(KIND, "a group has too many links")
            for index in range(symbols):
                yield _symbol(data, at + 8 + 40 * index, names, size)
            continue
        data.expect(at, b"TREE")
        entries = data.number(at + 6, 2)
        for index in range(entries - 1, -1, -1):
            child = data.number(at + 32 + 16 * index, 8)
            if child in seen:
                raise bad(KIND, "a tree of links leads back into itself")
            seen.add(child)
            todo.append(child)


def _symbol(data: Bytes, at: int, names: int, size: int) -> Link:
    offset, address = data.number(at, 8), data.number(at + 8, 8)
    if offset >= size:
        raise bad(KIND, "a link has no name")
    raw = data.region.upto(names + offset, min(1024, size - offset)).partition(b"\0")[0]
    name = raw.decode("utf-8", "replace")
    return Link(name, None if data.number(at + 16, 4) == _SOFT else address)


def _link(data: Bytes, at: int, end: int) -> Link:
    flags = data.number(at + 1, 1)
    pos = at + 2
    kind = 0
    if flags & 8:
        kind = data.number(pos, 1)
        pos += 1
    pos += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    length = data.number(pos, width)
    pos += width
    if pos + length > end:
        raise bad(KIND, "the name of a link is longer than its message")
    name = data.region.read(pos, length).decode("utf-8", "replace")
    pos += length
    if kind == 0:
        return Link(name, data.number(pos, 8))
    if kind == 1:
        return Link(name, None)
    target = data.region.read(pos + 2, min(data.number(pos, 2), max(0, end - pos - 2)))
    return Link(name, None, target[1:].partition(b"\0")[0].decode("utf-8", "replace") or "?")
