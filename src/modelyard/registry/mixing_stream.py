"""Tensors through the mixer: read in pieces, mixed in threads, written at their places.

Memory is bounded by the size of a piece, whatever the size of the model. A tensor of which a method
must know something first is read as often as that takes; if it fits a piece, only once.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.mixing import Room, mix_block, survey_of
from modelyard.core.tensor import ITEMSIZE
from modelyard.core.version import Progress
from modelyard.errors import Unavailable
from modelyard.registry.mixing_plan import conflict
from modelyard.store.interface import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from modelyard.core.mixing import Mix, Survey
    from modelyard.core.mixing.numbers import Bytes
    from modelyard.registry.house import House
    from modelyard.registry.mixing_plan import Plan, Slot, Source, Target

__all__ = ["Stream"]

_MEMORY = 96 << 20
"""Bytes that the pieces of all threads may take."""
_STEP = 1 << 20
"""Pieces end where chunks do, so that none is decoded twice."""
_LARGEST = 4 << 20
_LARGEST_SURVEYED = 16 << 20
_GAP = 4 << 10
"""Tensors that lie closer are read at once."""
_LINE = 64
_BYTE = np.dtype(np.uint8)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Some bytes of a tensor."""

    slot: Slot
    start: int
    """From the tensor's first byte."""
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def at(self) -> int:
        """Index of the first element."""
        return self.start // ITEMSIZE.get(self.slot.dtype, 1)


Facts = tuple[float | int, ...]


class Stream:
    """Mixes all files of a plan. `read` counts the bytes that were asked of the store."""

    def __init__(
        self, house: House, mix: Mix, plan: Plan, report: Callable[[Progress], None]
    ) -> None:
        self.read = 0
        self._mix = mix
        self._pool = house.pool
        self._threads = min(os.cpu_count() or 1, 8)
        self._rooms: SimpleQueue[Room] = SimpleQueue()
        self._lock = threading.Lock()
        self._report = report
        slots = [slot for target in plan.targets for slot in target.slots]
        self._total = sum((slot.end - slot.start) * len(slot.versions) for slot in slots)
        self._piece = self._piece_size(slots)
        self._differing: dict[str, None] = {}

    def write(self, target: Target, descriptor: int) -> None:
        """Fill an empty file. Conflict: `weights-conflict`, if whole numbers differ."""
        try:
            os.ftruncate(descriptor, target.size)
        except OSError as error:
            raise _not_written(error) from error
        _write(descriptor, memoryview(target.head), 0)
        self._run(
            partial(self._write_piece, descriptor, piece, facts)
            for piece, facts in self._pieces(target)
        )
        if self._differing:
            raise conflict([f"{name}: whole numbers that differ" for name in self._differing])

    def _piece_size(self, slots: Sequence[Slot]) -> int:
        """A whole number of chunks. Larger where a tensor must be seen whole before it is mixed."""
        versions = max((len(slot.versions) for slot in slots), default=1)
        size = _MEMORY // self._threads // (versions + 2) // _STEP * _STEP
        surveyed = any(self._survey(slot) is not None for slot in slots)
        return max(min(size, _LARGEST_SURVEYED if surveyed else _LARGEST), _STEP)

    def _survey(self, slot: Slot) -> Survey | None:
        if not slot.is_computed or not slot.elements:
            return None
        return survey_of(self._mix, slot.dtype, slot.elements)

    # -- pieces ----------------------------------------------------------------------------------

    def _pieces(self, target: Target) -> Iterator[tuple[Sequence[_Stretch], Facts | None]]:
        """Neighbours that one thread takes at once, and what is known of a tensor in pieces."""
        piece: list[_Stretch] = []
        size = 0
        for slot in target.slots:
            length = slot.end - slot.start
            if piece and size + length > self._piece:
                yield piece, None
                piece, size = [], 0
            if length > self._piece:
                stretches = self._cut(slot)
                facts = self._surveyed(slot, stretches)
                for stretch in stretches:
                    yield [stretch], facts
            elif length:
                piece.append(_Stretch(slot, 0, length))
                size += length
        if piece:
            yield piece, None

    def _cut(self, slot: Slot) -> list[_Stretch]:
        size = slot.end - slot.start
        return [
            _Stretch(slot, start, min(start + self._piece, size))
            for start in range(0, size, self._piece)
        ]

    def _surveyed(self, slot: Slot, stretches: Sequence[_Stretch]) -> Facts | None:
        """What the method must know of a tensor that is too large for a piece."""
        survey = self._survey(slot)
        if survey is None:
            return None
        while survey.facts is None:
            self._run(partial(self._look, survey, stretch) for stretch in stretches)
            survey.finish()
        return survey.facts

    # -- in a thread -----------------------------------------------------------------------------

    def _look(self, survey: Survey, stretch: _Stretch) -> None:
        with self._room() as room:
            sides, base = self._bytes_of([stretch], room)[0]
            survey.add(stretch.at, sides, base, room)

    def _write_piece(self, descriptor: int, piece: Sequence[_Stretch], facts: Facts | None) -> None:
        first = piece[0].slot.start + piece[0].start
        with self._room() as room:
            out = room.take("out", sum(stretch.size for stretch in piece), _BYTE)
            at = 0
            for stretch, (sides, base) in zip(piece, self._bytes_of(piece, room), strict=True):
                self._mix_stretch(stretch, sides, base, facts, out[at : at + stretch.size], room)
                at += stretch.size
            _write(descriptor, out.data, first)
        with self._lock:
            self._report(Progress("mix", min(self.read, self._total), self._total))

    def _mix_stretch(
        self,
        stretch: _Stretch,
        sides: Sequence[Bytes],
        base: Bytes | None,
        facts: Facts | None,
        out: Bytes,
        room: Room,
    ) -> None:
        slot = stretch.slot
        if not slot.is_computed:
            out[:] = sides[0]
            counter = slot.elements == 1  # as BatchNorm's num_batches_tracked: the first's is kept
            if not counter and not all(np.array_equal(side, out) for side in sides[1:]):
                with self._lock:
                    self._differing[slot.name] = None
            return
        survey = self._survey(slot) if facts is None else None
        if survey is not None:
            while survey.facts is None:
                survey.add(0, sides, base, room)
                survey.finish()
            facts = survey.facts
        mix_block(self._mix, slot.name, slot.dtype, stretch.at, sides, base, facts, out, room)

    def _bytes_of(
        self, piece: Sequence[_Stretch], room: Room
    ) -> list[tuple[list[Bytes], Bytes | None]]:
        """Of each stretch the bytes in all versions, and in the base."""
        columns = []
        for number in range(len(piece[0].slot.versions)):
            wanted = []
            for stretch in piece:
                held = stretch.slot.versions[number]
                start = (held.info.start or 0) + stretch.start
                wanted.append((held.source, start, start + stretch.size))
            columns.append(_gather(wanted, f"version{number}", room))
        with self._lock:
            self.read += sum(stretch.size for stretch in piece) * len(columns)
        rows = [list(row) for row in zip(*columns, strict=True)]
        if piece[0].slot.base is None:
            return [(row, None) for row in rows]
        return [(row[:-1], row[-1]) for row in rows]

    @contextmanager
    def _room(self) -> Iterator[Room]:
        """Scratch memory: as many as there are threads at work, gone with this object."""
        try:
            room = self._rooms.get_nowait()
        except Empty:
            room = Room()
        yield room
        self._rooms.put(room)

    def _run(self, jobs: Iterable[Callable[[], None]]) -> None:
        """All jobs in threads; the first failure ends the rest and is raised."""
        waiting: set[Future[None]] = set()
        try:
            for job in jobs:
                waiting.add(self._pool.submit(job))
                if len(waiting) > 2 * self._threads:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in waiting:
                future.result()
        finally:
            for future in waiting:
                future.cancel()
            wait(waiting)


def _gather(wanted: Sequence[tuple[Source, int, int]], name: str, room: Room) -> list[Bytes]:
    """Ranges of files, neighbours read at once, each aligned in memory as it is in its file."""
    order = sorted(range(len(wanted)), key=lambda i: (id(wanted[i][0]), wanted[i][1]))
    runs: list[tuple[Source, int, int, int]] = []  # source, start, end, place in memory
    where = {}
    size = 0
    for i in order:
        source, start, end = wanted[i]
        if runs and runs[-1][0] is source and start - runs[-1][2] <= _GAP:
            _, begin, last, place = runs.pop()
            runs.append((source, begin, max(end, last), place))
        else:
            runs.append((source, start, end, -(-size // _LINE) * _LINE + start % _LINE))
        _, begin, last, place = runs[-1]
        size = place + last - begin
        where[i] = place + start - begin
    memory = room.take(name, size, _BYTE)
    for source, start, end, place in runs:
        source.read_into(start, memory[place : place + end - start])
    return [memory[where[i] : where[i] + end - start] for i, (_, start, end) in enumerate(wanted)]


def _write(descriptor: int, view: memoryview, at: int) -> None:
    try:
        while view:
            count = os.pwrite(descriptor, view, at)
            view, at = view[count:], at + count
    except OSError as error:
        raise _not_written(error) from error


def _not_written(error: OSError) -> Unavailable:
    full = error.errno in NO_ROOM
    return Unavailable(
        "disk-full" if full else "dest-io",
        f"the mixed weights can't be written: {error.strerror}",
        hint="mixing needs room for one more file of weights, then for what is new in it"
        if full else None,
    )  # fmt: skip
