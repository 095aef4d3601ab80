"""Links of large HDF5 groups: objects of a fractal heap, found by a B-tree of version 2.

Keras writes its variables so. Heaps larger than a model's group of layers needs are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.formats.hdf.objects import KIND, NOWHERE, Incomplete
from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.formats.hdf.objects import Bytes

__all__ = ["heap_objects"]

_RECORDS = 100_000


def heap_objects(data: Bytes, heap: int, tree: int) -> Iterator[tuple[int, int]]:
    """First and last byte of each link message in the heap, in the order of the heap."""
    data.expect(heap, b"FRHP")
    if data.number(heap + 7, 2):
        raise Incomplete("a heap of links is packed")
    wide = -(-data.number(heap + 128, 2) // 8)
    most = min(data.number(heap + 120, 8), data.number(heap + 10, 4))
    narrow = -(-max(1, most.bit_length()) // 8)
    blocks = list(_blocks(data, heap, wide))
    places = []
    for at in _records(data, tree):
        if data.number(at + 4, 1) & 0x30:
            raise Incomplete("a link is too long for its heap")
        places.append((data.number(at + 5, wide), data.number(at + 5 + wide, narrow)))
    for offset, length in sorted(places):
        for address, first, size in blocks:
            if first <= offset < first + size:
                start = address + offset - first
                if offset + length > first + size or start + length > data.region.size:
                    raise bad(KIND, "a link lies outside of its heap")
                yield start, start + length
                break
        else:
            raise Incomplete("a link lies in a part of its heap that is not read")


def _records(data: Bytes, tree: int) -> Iterator[int]:
    """Where the records of the tree lie: a hash of four bytes and the place in the heap."""
    data.expect(tree, b"BTHD")
    kind, node, record = (data.number(tree + at, size) for at, size in ((5, 1), (6, 4), (10, 2)))
    depth, root, count = (data.number(tree + at, size) for at, size in ((12, 2), (16, 8), (24, 2)))
    if kind != 5 or depth > 1 or not 5 <= record <= 64 or node < 32:
        raise Incomplete("a tree of links is of a kind that is not read")
    if root == NOWHERE:
        return
    if depth == 0:
        yield from _leaf(data, root, record, count)
        return
    data.expect(root, b"BTIN")
    width = ((node - 10) // record).bit_length() + 7 >> 3
    yield from (root + 6 + record * index for index in range(count))
    pointers = root + 6 + record * count
    for index in range(min(count + 1, _RECORDS)):
        at = pointers + (8 + width) * index
        yield from _leaf(data, data.number(at, 8), record, data.number(at + 8, width))


def _leaf(data: Bytes, at: int, record: int, count: int) -> Iterator[int]:
    data.expect(at, b"BTLF")
    if count > _RECORDS or at + 6 + record * count > data.region.size:
        raise bad(KIND, "a tree of links is longer than the file")
    yield from (at + 6 + record * index for index in range(count))


def _blocks(data: Bytes, heap: int, wide: int) -> Iterator[tuple[int, int, int]]:
    """Address, first offset and size of each direct block of the heap."""
    columns, first = data.number(heap + 110, 2), data.number(heap + 112, 8)
    largest, root = data.number(heap + 120, 8), data.number(heap + 132, 8)
    rows = data.number(heap + 140, 2)
    if root == NOWHERE:
        return
    if rows == 0:
        data.expect(root, b"FHDB")
        yield root, 0, first
        return
    data.expect(root, b"FHIB")
    if not columns or not first or rows > 64 or columns > 64:
        raise bad(KIND, "a heap of links has an impossible shape")
    offset, at = 0, root + 13 + wide
    for row in range(rows):
        size = first << max(0, row - 1)
        if size > largest:
            return
        for _ in range(columns):
            address = data.number(at, 8)
            if address != NOWHERE:
                data.expect(address, b"FHDB")
                yield address, offset, size
            at += 8
            offset += size
