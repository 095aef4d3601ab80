"""Reading from far away: few large requests, several at once, before anybody asks.

The chunks that are going to be read are known in their order. Those that lie near each other in a
pack become one request; requests run ahead of the reader as far as memory allows.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.errors import Corrupt, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.core.chunks import ChunkRow
    from modelyard.store.interface import Backend

__all__ = ["Ahead", "Range", "plan"]

_GAP = 256 << 10
"""So many bytes that nobody wants are cheaper than another request."""
_SMALLEST, _LARGEST = 8 << 20, 32 << 20
"""About the size of a request; the smaller, the more of them run at once."""
_SPAN = 128 << 20
"""Chunks of one request are wanted within so many bytes of reading."""
_MEMORY = 128 << 20


@dataclass(slots=True, eq=False)
class Range:
    """A stretch of a pack that one request fetches."""

    pack: str
    start: int
    end: int
    first: int
    """When it is wanted for the first time, in bytes read before."""
    last: int
    uses: int = 0
    state: str = "waiting"
    """`waiting`, `running`, `there`, `failed` or `gone`."""
    data: memoryview = field(default_factory=lambda: memoryview(b""))
    error: Exception | None = None

    @property
    def size(self) -> int:
        return self.end - self.start


_Use = tuple[int, int, int]
"""Where a wanted chunk begins and ends in its pack, and when it is wanted."""


def plan(
    rows: Iterable[ChunkRow], parallel: int
) -> tuple[list[Range], dict[tuple[str, int], deque[tuple[Range, int]]]]:
    """The requests in the order of their first use, and for each chunk those that it comes with."""
    uses: defaultdict[str, list[_Use]] = defaultdict(list)
    at = 0
    for row in rows:
        uses[row.pack].append((row.start, row.start + row.length, at))
        at += row.length
    target = min(max(at // max(parallel, 1), _SMALLEST), _LARGEST)
    ranges: list[Range] = []
    where: defaultdict[tuple[str, int], deque[tuple[Range, int]]] = defaultdict(deque)
    for pack, wanted in uses.items():
        for in_time in _in_time(wanted):
            for near in _in_place(sorted(in_time)):
                for found, use in _cut(pack, near, target):
                    if not found.uses:
                        ranges.append(found)
                    found.uses += 1
                    found.end = max(found.end, use[1])
                    found.first, found.last = min(found.first, use[2]), max(found.last, use[2])
                    where[pack, use[0]].append((found, use[2]))
    ranges.sort(key=lambda found: found.first)
    return ranges, where


def _in_time(wanted: Sequence[_Use]) -> Iterable[list[_Use]]:
    """Uses of one pack, those together that are wanted at about the same time."""
    near: list[_Use] = []
    for use in wanted:
        if near and use[2] - near[0][2] > _SPAN:
            yield near
            near = []
        near.append(use)
    yield near


def _in_place(wanted: Sequence[_Use]) -> Iterable[list[_Use]]:
    """Uses of one pack, those together that lie near each other."""
    near: list[_Use] = []
    end = 0
    for use in wanted:
        if near and use[0] > end + _GAP:
            yield near
            near = []
        near.append(use)
        end = max(end, use[1])
    yield near


def _cut(pack: str, near: Sequence[_Use], target: int) -> Iterable[tuple[Range, _Use]]:
    """Neighbours as requests of about the same size, each use with the one that it comes with."""
    whole = max(end for _, end, _ in near) - near[0][0]
    limit = whole / max(round(whole / target), 1)
    found: Range | None = None
    for use in near:
        if found is None or (found.size >= limit and use[0] >= found.end):
            found = Range(pack, use[0], use[1], use[2], use[2])
        yield found, use


class Ahead:
    """The encoded bytes of chunks that are going to be read. Safe for many threads.

    Args:
        rows: What will be read, in this order at about; a chunk that is read twice comes twice.
        memory: Bytes fetched and not yet taken; one request more for each thread that waits.
    """

    def __init__(
        self, backend: Backend, rows: Iterable[ChunkRow], *, memory: int = _MEMORY
    ) -> None:
        self._backend = backend
        parallel = max(backend.facts.max_parallel, 1)
        ranges, self._where = plan(rows, parallel)
        self._queue = deque(ranges)
        self._memory = memory
        self._held: set[Range] = set()
        self._size = 0
        self._reached = 0
        self._changed = threading.Condition()
        self._requests = threading.Semaphore(parallel)
        self._pool: ThreadPoolExecutor | None = None
        if len(ranges) > 1:
            self._pool = ThreadPoolExecutor(min(parallel, len(ranges)), "fetch")
            with self._changed:
                self._fill()

    def take(self, row: ChunkRow) -> memoryview | None:
        """The bytes of a chunk, waiting for them if need be; None if they must be read singly."""
        with self._changed:
            found = self._where.get((row.pack, row.start))
            if not found:
                return None
            wanted, when = found.popleft()
            self._reached = max(self._reached, when)
            if not (mine := wanted.state == "waiting"):
                self._changed.wait_for(lambda: wanted.state != "running")
            else:
                self._begin(wanted)
        if mine:
            self._fetch(wanted)
        with self._changed:
            if wanted.error is not None:
                raise wanted.error
            if wanted.state != "there":
                return None
            piece = wanted.data[row.start - wanted.start : row.start + row.length - wanted.start]
            wanted.uses -= 1
            if wanted.uses == 0:
                self._drop(wanted)
                self._fill()
            return piece

    def close(self) -> None:
        """Nothing is taken any more; returns when the last request has ended."""
        with self._changed:
            self._queue.clear()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        with self._changed:
            for wanted in list(self._held):
                self._drop(wanted)

    # -- with `_changed` held ----------------------------------------------------------------------

    def _fill(self) -> None:
        """Begin what memory allows; what was fetched and never taken gives way."""
        while self._queue and self._pool is not None:
            following = self._queue[0]
            if following.state != "waiting":
                self._queue.popleft()
                continue
            if self._held and self._size + following.size > self._memory:
                late = [r for r in self._held if r.last + _SPAN < self._reached]
                late = [r for r in late if r.state == "there"]
                for wanted in late:
                    self._drop(wanted)
                if not late:
                    return
                continue
            self._begin(self._queue.popleft())
            self._pool.submit(self._fetch, following)

    def _begin(self, wanted: Range) -> None:
        wanted.state = "running"
        self._held.add(wanted)
        self._size += wanted.size

    def _drop(self, wanted: Range) -> None:
        wanted.state, wanted.data = "gone", memoryview(b"")
        if wanted in self._held:
            self._held.discard(wanted)
            self._size -= wanted.size

    # -- without -----------------------------------------------------------------------------------

    def _fetch(self, wanted: Range) -> None:
        state, data = "failed", b""
        try:
            with self._requests:
                data = self._backend.get(wanted.pack, wanted.start, wanted.end)
            state = "there"
        except (Corrupt, NotFound):
            pass  # of many chunks perhaps only one: each is read by itself, and tells
        except Exception as error:
            wanted.error = error
        finally:
            with self._changed:
                if state == "failed":
                    self._drop(wanted)
                wanted.state, wanted.data = state, memoryview(data)
                self._changed.notify_all()
