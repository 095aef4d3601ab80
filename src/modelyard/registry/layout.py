"""A version as one stretch of encoded bytes, for readers far away (docs/spec/transfer-1.md)."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import blake3

from modelyard.catalog.queries import blobs, versions
from modelyard.core.transferring import Layout, LayoutBlob, LayoutChunk
from modelyard.errors import Conflict, Corrupt, InvalidInput
from modelyard.store.codecs import workspace
from modelyard.store.ingest import decode_recipe
from modelyard.store.rooms import Rooms
from modelyard.store.sealing import BOX_EXTRA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.core.chunks import ChunkRow
    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House

__all__ = ["Laid", "Layouts", "lay_out", "read_encoded"]

_PIECE = 2 << 20
_ROOMS = Rooms(8)
_KEPT = 20_000
"""Chunks of the layouts that one process remembers: some 12 MB. The last one is, of any size."""
_OF_EACH = 20
"""What a layout takes beside its chunks, as so many of them."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A layout, and where its chunks lie in the store."""

    layout: Layout
    rows: Sequence[ChunkRow]
    bases: Mapping[int, ChunkRow]
    ends: Sequence[int]
    """Where each chunk ends in the stream."""
    is_plain: bool
    """Whether the stream is of decoded bytes."""


class Layouts:
    """The layouts that were used lately. They stay right: a version never changes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, bool], Laid] = OrderedDict()
        self._cost = 0
        self._lock = threading.Lock()

    def get(self, house: House, version: int, *, plain: bool) -> Laid:
        """The layout of a version, by its row."""
        with self._lock:
            found = self._kept.get((version, plain))
            if found is not None:
                self._kept.move_to_end((version, plain))
                return found
        laid = lay_out(house, version, plain=plain)
        with self._lock:
            self._drop((version, plain))
            self._kept[version, plain] = laid
            self._cost += _OF_EACH + len(laid.rows)
            while self._cost > _KEPT and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))
        return laid

    def forget(self, version: int) -> None:
        """Look it up anew: gc may have moved what it names."""
        with self._lock:
            self._drop((version, False))
            self._drop((version, True))

    def _drop(self, key: tuple[int, bool]) -> None:
        """Under the lock."""
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._cost -= _OF_EACH + len(gone.rows)

    def read(
        self, house: House, version: int, etag: str, start: int, end: int, *, plain: bool
    ) -> tuple[Iterator[memoryview], int]:
        """A range of the stream that has this etag, and the size of it all.

        The first piece is there when this returns: what gc moved until then is found again.

        Raises:
            Conflict: `stale` if the stream is another one now.
            InvalidInput: `bad-range`.
        """
        laid = self.get(house, version, plain=plain)
        if laid.layout.etag != etag:
            self.forget(version)
            laid = self.get(house, version, plain=plain)
        for attempt in (0, 1):
            if laid.layout.etag != etag:
                raise Conflict(
                    "stale", "the chunks are encoded in another way now",
                    hint="ask for the layout again",
                )  # fmt: skip
            pieces = read_encoded(house, laid, start, end)
            try:
                first = next(pieces, None)
                return _chained(first, pieces), laid.layout.size
            except Corrupt as error:
                if error.kind != "pack-lost" or attempt:
                    raise
                self.forget(version)
                laid = self.get(house, version, plain=plain)
        raise AssertionError


def _chained(first: memoryview | None, rest: Iterator[memoryview]) -> Iterator[memoryview]:
    if first is not None:
        yield first
        yield from rest


def lay_out(house: House, version: int, *, plain: bool) -> Laid:
    """Where everything is that a version's blobs need.

    Args:
        version: Its row.
        plain: Whether to lay out decoded bytes.
    """
    with house.catalog.read() as connection:
        files = versions.files_of(connection, version)
        found = blobs.by_id(connection, set(files.values()) - {0})
    in_order = list(dict.fromkeys(files[path] for path in sorted(files) if files[path]))
    wanted = [found[key] for key in in_order if key in found]
    own = {row.content_id for row in wanted} | {r.inspection_id for r in wanted if r.inspection_id}
    records = house.index.rows(own)
    told, names = [], []
    for wanted_blob in wanted:
        blob, parts = _blob(house, wanted_blob, records)
        told.append(blob)
        names += parts
    unique = list(dict.fromkeys(names))
    rows = house.reader.rows(unique)
    bases = house.reader.bases(rows.values())
    placed = _placed([rows[name] for name in unique], bases, plain=plain)
    chunks, at = [], 0
    numbers: dict[int, int] = {}
    for i, row in enumerate(placed):
        length = row.size if plain else row.length - (BOX_EXTRA if row.seal else 0)
        base = numbers[row.base_id] if row.base_id is not None and not plain else -1
        codec = 0 if plain else row.codec
        chunks.append(LayoutChunk(row.hash, at, length, row.size, codec, base))
        numbers[row.id] = i
        at += length
    layout = Layout(etag=_etag(chunks), size=at, chunks=chunks, blobs=told)
    return Laid(layout, placed, bases, list(accumulate(c.length for c in chunks)), plain)


def _blob(
    house: House, row: BlobRow, records: Mapping[int, ChunkRow]
) -> tuple[LayoutBlob, list[ChunkId]]:
    content = records.get(row.content_id)
    if content is None:
        raise Corrupt("chunk-lost", f"the content of blob {row.sha256.hex()[:12]} is lost")
    recipe = house.reader.record(content) if row.is_recipe else None
    inspected = records.get(row.inspection_id) if row.inspection_id else None
    inspection = house.reader.record(inspected) if inspected else None
    names = [name for name, _ in decode_recipe(recipe)] if recipe else [content.hash]
    blob = LayoutBlob(row.sha256, row.size, row.format, content.hash, recipe, inspection)
    return blob, names


def _placed(
    rows: Sequence[ChunkRow], bases: Mapping[int, ChunkRow], *, plain: bool
) -> list[ChunkRow]:
    """Each chunk once, a delta's base before it."""
    placed: dict[int, ChunkRow] = {}
    for row in rows:
        if row.base_id is not None and not plain:
            base = bases.get(row.base_id)
            if base is None:
                raise Corrupt("chunk-lost", f"the base of chunk {row.hash.hex()[:16]} is lost")
            placed.setdefault(base.id, base)
        placed.setdefault(row.id, row)
    return list(placed.values())


def _etag(chunks: Sequence[LayoutChunk]) -> str:
    """Of the stream, not of where it lies: gc may move packs, and a reader goes on."""
    digest = blake3.blake3()
    for chunk in chunks:
        digest.update(chunk.name)
        digest.update(b"%d %d %d," % (chunk.length, chunk.codec, chunk.base))
    return digest.hexdigest()[:32]


def read_encoded(house: House, laid: Laid, start: int, end: int) -> Iterator[memoryview]:
    """The bytes of a range, in pieces of a few MiB. InvalidInput: `bad-range`."""
    if not 0 <= start < end <= laid.layout.size:
        raise InvalidInput("bad-range", f"there are no bytes {start}-{end - 1} in this version")
    first = bisect_right(laid.ends, start)
    last = bisect_right(laid.ends, end - 1)
    wanted = laid.rows[first : last + 1]
    with house.reader.ahead(wanted, laid.bases if laid.is_plain else {}) as ahead:
        at = first
        while at <= last:
            count, size = 0, 0
            while at + count <= last and (not count or size < _PIECE):
                size += laid.layout.chunks[at + count].length
                count += 1
            begin = laid.layout.chunks[at].start
            piece = _ROOMS.take(size)
            for i in range(at, at + count):
                chunk, row = laid.layout.chunks[i], laid.rows[i]
                out = piece[chunk.start - begin : chunk.start - begin + chunk.length]
                if laid.is_plain:
                    house.reader.into(row, out, workspace(), laid.bases, ahead)
                else:
                    house.reader.payload_into(row, out, workspace(), ahead)
            yield piece.data[max(start - begin, 0) : min(end - begin, size)]
            at += count
