"""Where a remote yard's bytes are read from: layouts as an index, ranged GETs as a backend.

What `store` reads with works unchanged over these two. Every chunk is checked by its name, so
neither the server nor the cache need be believed.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from modelyard.client.direct import is_taken
from modelyard.client.failures import strange
from modelyard.core.chunks import ChunkRow, Kind
from modelyard.core.digest import ChunkId
from modelyard.errors import ModelyardError, NotFound
from modelyard.store.interface import Facts
from modelyard.store.pack import chunk_id
from modelyard.store.reader import Reader
from modelyard.store.rooms import Rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from modelyard.client.cache import RangeCache
    from modelyard.client.connection import Connection
    from modelyard.core.transferring import Layout, LayoutChunk
    from modelyard.store.fetch import Ahead

__all__ = ["Placed", "RemoteBackend", "RemoteIndex", "RemoteReader"]

_ROWS = 1_000_000
"""Chunks whose places are remembered; layouts that were not used for the longest time go first."""
_PARALLEL = 6
_LARGE = 1 << 20
_LONGEST = 1 << 62
_LARGEST_CHUNK = 1 << 30


@dataclass(slots=True, eq=False)
class Placed:
    """A layout with its rows."""

    key: str
    """What its rows name as their pack."""
    model: str
    number: int
    commit: str
    etag: str
    first: int
    """Id of its first row."""
    rows: list[ChunkRow]
    by_name: dict[ChunkId, ChunkRow]
    records: dict[int, bytes] = field(default_factory=dict)
    """Recipes and inspections, which came with the layout, by the ids of their rows."""
    contents: dict[bytes, tuple[int, bool, int | None, str]] = field(default_factory=dict)
    """By SHA-256: row of the content, whether that is a recipe, row of the inspection, format."""
    is_stale: bool = False
    """Whether the server said that its stream is another one now."""
    direct: list[_Direct] = field(default_factory=list)
    """Objects of the store that may be read themselves: their chunks' rows name those."""


class _Direct(NamedTuple):
    url: str
    until: float
    chunks: list[tuple[int, int, int]]
    """Where each begins in the object, where in the stream, and how long it is."""


class RemoteIndex:
    """`store.interface.Index`, as far as reading needs it."""

    def __init__(self, connection: Connection, again: Callable[[str, int], Layout]) -> None:
        self._connection = connection
        self._again = again
        self._placed: OrderedDict[tuple[str, str], Placed] = OrderedDict()
        self._next = 1
        self._lock = threading.Lock()
        self._renewing = threading.Lock()

    def known(self, model: str, commit: str) -> Placed | None:
        """The layout of a version, if it is remembered."""
        with self._lock:
            found = self._placed.get((model, commit))
            if found is not None:
                self._placed.move_to_end((model, commit))
            return found

    def by_key(self, key: str) -> Placed | None:
        with self._lock:
            whole = "/".join(key.split("/")[:2])
            return next((p for p in self._placed.values() if p.key == whole), None)

    def add(self, model: str, number: int, commit: str, layout: Layout) -> Placed:
        """Remember where a version's chunks lie. Unavailable: `strange-answer`."""
        with self._lock:
            first = self._next
            self._next += len(layout.chunks) + 2 * len(layout.blobs) + 1
        placed = _placed(self._connection, (model, number, commit), layout, first)
        with self._lock:
            before = self._placed.pop((model, commit), None)
            if before is not None:  # who reads by its rows is told of the new ones by `newest`
                self._placed[model, f"{commit} {before.first}"] = before
            self._placed[model, commit] = placed
            while sum(len(p.rows) for p in self._placed.values()) > _ROWS and len(self._placed) > 1:
                self._placed.popitem(last=False)
        return placed

    # -- what `Reader` asks ----------------------------------------------------------------------

    def find(self, hashes: Iterable[ChunkId]) -> Mapping[ChunkId, ChunkRow]:
        wanted = set(hashes)
        found: dict[ChunkId, ChunkRow] = {}
        with self._lock:
            for placed in reversed(self._placed.values()):
                if not wanted:
                    break
                here = {name: placed.by_name[name] for name in wanted if name in placed.by_name}
                found |= here
                wanted -= here.keys()
        return found

    def rows(self, ids: Iterable[int]) -> Mapping[int, ChunkRow]:
        found = {}
        with self._lock:
            for number in set(ids):
                for placed in reversed(self._placed.values()):
                    if placed.first <= number < placed.first + len(placed.rows):
                        found[number] = placed.rows[number - placed.first]
                        break
        return found

    def newest(self, name: ChunkId) -> tuple[ChunkRow | None, Mapping[int, ChunkRow]]:
        """A chunk and its base, after the layout that it was in has been asked for again."""
        with self._renewing:
            now = self.find([name]).get(name)
            placed = None if now is None else self.by_key(now.pack)
            if placed is not None and placed.is_stale:
                layout = self._again(placed.model, placed.number)
                self.add(placed.model, placed.number, placed.commit, layout)
                now = self.find([name]).get(name)
        if now is None:
            return None, {}
        return now, self.rows([now.base_id] if now.base_id is not None else [])


def _placed(
    connection: Connection, version: tuple[str, int, str], layout: Layout, first: int
) -> Placed:
    """Rows of a layout, each of them looked at."""
    model, number, commit = version
    key = f"v/{first}"
    rows: list[ChunkRow] = []
    direct, there = _direct(connection, layout)
    for i, chunk in enumerate(layout.chunks):
        sane = (
            len(chunk.name) == 32
            and 0 <= chunk.start <= chunk.start + chunk.length <= layout.size < _LONGEST
            and 0 < chunk.size <= _LARGEST_CHUNK
            and 0 <= chunk.length <= _LARGEST_CHUNK
            and -1 <= chunk.base < i
            and 0 <= chunk.codec < 256
        )
        if not sane:
            raise strange(connection.address, f"the layout of {model}@{number} makes no sense")
        base = None if chunk.base < 0 else first + chunk.base
        rows.append(
            ChunkRow(
                first + i, ChunkId(chunk.name), *_place(key, chunk, there.get(i)), chunk.length,
                chunk.size, chunk.codec, Kind.CONTENT, base,
            )
        )  # fmt: skip
    placed = Placed(
        key, model, number, commit, layout.etag, first, rows, {r.hash: r for r in rows},
        direct=direct,
    )  # fmt: skip

    def record(kind: Kind, content: bytes) -> ChunkRow:
        row = ChunkRow(
            first + len(rows), chunk_id(kind, content), key, 0, 0, len(content), 0, kind, None
        )
        rows.append(row)
        placed.records[row.id] = content
        return row

    for blob in layout.blobs:
        inspection = None
        if blob.inspection is not None:
            inspection = record(Kind.INSPECTION, blob.inspection).id
        if blob.recipe is not None:
            row: ChunkRow | None = record(Kind.RECIPE, blob.recipe)
        else:
            row = placed.by_name.get(ChunkId(blob.content))
        if row is None or row.hash != blob.content:
            raise strange(connection.address, f"the layout of {model}@{number} makes no sense")
        placed.contents[blob.sha256] = (row.id, blob.recipe is not None, inspection, blob.format)
    return placed


def _direct(
    connection: Connection, layout: Layout
) -> tuple[list[_Direct], dict[int, tuple[int, int]]]:
    """Objects that may be read themselves; for chunks, which of them and where in it."""
    found: list[_Direct] = []
    there: dict[int, tuple[int, int]] = {}
    for each in layout.direct:
        if not is_taken(connection.address, each.url):
            continue
        chunks = []
        for i, offset in each.chunks:
            if not 0 <= i < len(layout.chunks) or not 0 <= offset < _LONGEST or i in there:
                raise strange(connection.address, "a layout makes no sense")
            there[i] = (len(found), offset)
            chunks.append((offset, layout.chunks[i].start, layout.chunks[i].length))
        until = time.monotonic() + min(max(each.seconds, 0), 86_400)
        found.append(_Direct(each.url, until, sorted(chunks)))
    return found, there


def _place(key: str, chunk: LayoutChunk, there: tuple[int, int] | None) -> tuple[str, int]:
    return (key, chunk.start) if there is None else (f"{key}/{there[0]}", there[1])


class RemoteBackend:
    """`store.interface.Backend`, as far as reading needs it: encoded streams by ranges."""

    def __init__(
        self, connection: Connection, index: RemoteIndex, cache: RangeCache | None = None
    ) -> None:
        self._connection = connection
        self._index = index
        self._cache = cache
        self._rooms = Rooms(_PARALLEL + 2)

    @property
    def facts(self) -> Facts:
        return Facts(None, is_local=False, max_parallel=_PARALLEL)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes | memoryview:
        """NotFound `no-object` if the stream is not the same any more."""
        placed = self._index.by_key(key)
        if placed is None or end is None:
            raise NotFound("no-object", f"{key} is not known any more")
        if start == end:
            return b""
        if key != placed.key:
            return self._direct(placed, placed.direct[int(key.rpartition("/")[2])], start, end)
        return self._stream(placed, start, end)

    def _direct(self, placed: Placed, at: _Direct, start: int, end: int) -> bytes | memoryview:
        """A range of an object, from the store; if that fails, its chunks from the server."""
        name = f"direct {at.url.partition('?')[0]}"
        if self._cache is not None and (kept := self._cache.get(name, start, end)) is not None:
            return kept
        room = self._rooms.take(end - start).data
        if time.monotonic() < at.until and self._connection.store.read(at.url, start, end, room):
            if self._cache is not None:
                self._cache.put(name, start, end, bytes(room))
            return room
        wanted = at.chunks[bisect_left(at.chunks, (start, 0, 0)) : bisect_left(
            at.chunks, (end, 0, 0)
        )]  # fmt: skip
        for near in _neighbours(wanted):
            begin = near[0][1]
            got = memoryview(self._stream(placed, begin, near[-1][1] + near[-1][2]))
            for offset, place, length in near:
                length = min(length, end - offset)
                room[offset - start : offset - start + length] = got[
                    place - begin : place - begin + length
                ]
        return room

    def _stream(self, placed: Placed, start: int, end: int) -> bytes | memoryview:
        """A range of the encoded stream, from the server."""
        name = f"{self._connection.address.url} {placed.etag}"
        if self._cache is not None and (kept := self._cache.get(name, start, end)) is not None:
            return kept
        path = ("models", placed.model, "versions", placed.number, "encoded")
        headers = {"range": f"bytes={start}-{end - 1}", "if-match": f'"{placed.etag}"'}
        if self._cache is None and end - start >= _LARGE:
            room = self._rooms.take(end - start).data
            if self._connection.read_into(path, headers, room):
                return room
        try:
            reply = self._connection.request("GET", path, headers=headers, limit=end - start)
        except ModelyardError as error:
            if error.kind == "stale":
                placed.is_stale = True
                raise NotFound(
                    "no-object", f"{placed.model}@{placed.number} lies elsewhere now"
                ) from None
            raise
        if len(reply.content) != end - start:
            raise strange(self._connection.address, "a range has not the length that was asked for")
        if self._cache is not None:
            self._cache.put(name, start, end, reply.content)
        return reply.content


def _neighbours(chunks: Iterable[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    """Chunks of an object, those together that follow each other in the stream."""
    runs: list[list[tuple[int, int, int]]] = []
    for chunk in sorted(chunks, key=lambda each: each[1]):
        if not runs or runs[-1][-1][1] + runs[-1][-1][2] != chunk[1]:
            runs.append([])
        runs[-1].append(chunk)
    return runs


class RemoteReader(Reader):
    """Records come with the layout; all else is read as from any store."""

    _remote: RemoteIndex

    def record(self, row: ChunkRow, ahead: Ahead | None = None) -> bytes:
        if row.kind == Kind.CONTENT:
            return super().record(row, ahead)
        placed = self._remote.by_key(row.pack)
        content = None if placed is None else placed.records.get(row.id)
        if content is None:
            raise NotFound("no-object", "a record is not known any more")
        return content

    @classmethod
    def over(cls, backend: RemoteBackend, index: RemoteIndex) -> RemoteReader:
        made = cls(cast("Any", backend), cast("Any", index))
        made._remote = index
        return made
