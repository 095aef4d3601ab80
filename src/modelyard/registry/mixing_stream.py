"""Files that are made of several versions' tensors while they are stored.

Tensors are read in pieces, mixed in threads and stored at once; memory is bounded by the size of a
piece, whatever the size of the model. A tensor of which a method must know something first is read
as often as that takes; if it fits a piece, only once.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from concurrent.futures import wait
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from modelyard.core.mixing import Room, mix_block, survey_of
from modelyard.core.tensor import ITEMSIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelyard.core.mixing import Mix, Survey
    from modelyard.core.mixing.numbers import Bytes
    from modelyard.core.mixing.surveys import Facts
    from modelyard.formats import Inspection
    from modelyard.registry.house import House
    from modelyard.registry.mixing_plan import Plan, Slot, Source, Target
    from modelyard.store.chunking import Segment

__all__ = ["MixedFile", "Mixer"]

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


class _Stretch(NamedTuple):
    """Some bytes of a tensor, counted from its first."""

    slot: Slot
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def at(self) -> int:
        """Index of the first element."""
        return self.start // ITEMSIZE.get(self.slot.dtype, 1)

    @property
    def is_whole(self) -> bool:
        return self.size == self.slot.size


class Mixer:
    """What the files of one mixture share: the method, scratch memory, what was read and found."""

    def __init__(self, house: House, mix: Mix, plan: Plan) -> None:
        self.mix = mix
        self.pool = house.pool
        self.read = 0
        """Bytes that were asked of the store."""
        self.differing: dict[str, None] = {}
        """Tensors of whole numbers that are not the same in all versions."""
        self._rooms: SimpleQueue[Room] = SimpleQueue()
        self._lock = threading.Lock()
        self.piece = self._piece_size([s for target in plan.targets for s in target.slots])

    def _piece_size(self, slots: Sequence[Slot]) -> int:
        """A whole number of chunks. Larger where a tensor must be seen whole before it is mixed."""
        parts = 1 + max((len(slot.versions) for slot in slots), default=1)
        if self.mix.needs_base:
            parts += 2  # changes are kept as float32, even those of two-byte numbers
        threads = min(os.cpu_count() or 1, 8)
        size = _MEMORY // threads // parts // _STEP * _STEP
        surveyed = any(self.survey(slot) is not None for slot in slots)
        return max(min(size, _LARGEST_SURVEYED if surveyed else _LARGEST), _STEP)

    def survey(self, slot: Slot) -> Survey | None:
        """What the method must know of a tensor before it is mixed."""
        if not slot.is_computed or not slot.elements:
            return None
        return survey_of(self.mix, slot.dtype, slot.elements)

    @contextmanager
    def room(self) -> Iterator[Room]:
        """Scratch memory: as many as there are threads at work, gone with this object."""
        try:
            room = self._rooms.get_nowait()
        except Empty:
            room = Room()
        try:
            yield room
        finally:
            self._rooms.put(room)

    def bytes_of(
        self, stretches: Sequence[_Stretch], room: Room
    ) -> list[tuple[list[Bytes], Bytes | None]]:
        """Of each stretch the bytes in all versions, and in the base."""
        columns = []
        for number in range(len(stretches[0].slot.versions)):
            wanted = []
            for stretch in stretches:
                held = stretch.slot.versions[number]
                start = (held.info.start or 0) + stretch.start
                wanted.append((held.source, start, start + stretch.size))
            columns.append(_gather(wanted, f"version{number}", room))
        with self._lock:
            self.read += sum(stretch.size for stretch in stretches) * len(columns)
        rows = [list(row) for row in zip(*columns, strict=True)]
        if stretches[0].slot.base is None:
            return [(row, None) for row in rows]
        return [(row[:-1], row[-1]) for row in rows]


class MixedFile:
    """One file of the new version, made range by range (`registry.blobs.Made`)."""

    def __init__(self, mixer: Mixer, target: Target) -> None:
        self.path = target.path
        self.size = target.size
        self.inspection: Inspection = target.inspection
        self._mixer = mixer
        self._head = np.frombuffer(target.head, np.uint8)
        self._slots = [slot for slot in target.slots if slot.size]
        self._starts = [slot.start for slot in self._slots]
        self._facts: dict[int, Facts | None] = {}
        """By a slot's start: what was found of a tensor that is larger than a piece."""

    def runs(self, segments: Iterable[Segment]) -> Iterator[list[Segment]]:
        """Neighbours that are made at once: whole tensors, or pieces of large ones."""
        run: list[Segment] = []
        last: Slot | None = None
        for segment in segments:
            slot = self._slot_at(segment.start)
            size = segment.end - run[0].start if run else 0
            if slot is not None and slot is not last and run:
                size += max(slot.end - segment.end, 0) if slot.size <= self._mixer.piece else 0
            if run and (size > self._mixer.piece or self._is_large(slot) != self._is_large(last)):
                yield run
                run = []
            if slot is not last and self._is_large(slot):
                self._look_at(slot)
            run.append(segment)
            last = slot
        if run:
            yield run

    def fill(self, start: int, out: Bytes) -> None:
        """Write the bytes from `start` on."""
        end = start + len(out)
        head = self._head[start:end]
        out[: len(head)] = head
        stretches = []
        for number in range(max(bisect_right(self._starts, start) - 1, 0), len(self._slots)):
            slot = self._slots[number]
            if slot.start >= end:
                break
            a, b = max(start, slot.start), min(end, slot.end)
            if a < b:
                stretches.append(_Stretch(slot, a - slot.start, b - slot.start))
        if stretches:
            with self._mixer.room() as room:
                self._mix(
                    stretches, out[stretches[0].slot.start + stretches[0].start - start :], room
                )

    # -- tensors ---------------------------------------------------------------------------------

    def _slot_at(self, start: int) -> Slot | None:
        number = bisect_right(self._starts, start) - 1
        return self._slots[number] if number >= 0 else None

    def _is_large(self, slot: Slot | None) -> bool:
        return slot is not None and slot.size > self._mixer.piece

    def _look_at(self, slot: Slot | None) -> None:
        """Find out, in threads, what the method must know of a large tensor."""
        survey = None if slot is None else self._mixer.survey(slot)
        if slot is None or survey is None:
            return
        piece = self._mixer.piece
        stretches = [
            _Stretch(slot, start, min(start + piece, slot.size))
            for start in range(0, slot.size, piece)
        ]
        while survey.facts is None:
            futures = [self._mixer.pool.submit(self._look, survey, part) for part in stretches]
            try:
                for future in futures:
                    future.result()
            finally:
                for future in futures:
                    future.cancel()
                wait(futures)
            survey.finish()
        self._facts[slot.start] = survey.facts

    def _look(self, survey: Survey, stretch: _Stretch) -> None:
        with self._mixer.room() as room:
            sides, base = self._mixer.bytes_of([stretch], room)[0]
            survey.add(stretch.at, sides, base, room)

    def _mix(self, stretches: Sequence[_Stretch], out: Bytes, room: Room) -> None:
        at = 0
        rows = self._mixer.bytes_of(stretches, room)
        for stretch, (sides, base) in zip(stretches, rows, strict=True):
            slot, part = stretch.slot, out[at : at + stretch.size]
            at += stretch.size
            if not slot.is_computed:
                self._keep(slot, sides, part)
                continue
            facts = self._facts_of(stretch, sides, base, room)
            mix_block(
                self._mixer.mix, slot.name, slot.dtype, stretch.at, sides, base, facts, part, room
            )

    def _keep(self, slot: Slot, sides: Sequence[Bytes], out: Bytes) -> None:
        """Values that are not computed with are the same everywhere, or counters of one number.

        Of such (BatchNorm's `num_batches_tracked`) the first version's is kept.
        """
        out[:] = sides[0]
        if slot.elements > 1 and not all(np.array_equal(side, out) for side in sides[1:]):
            self._mixer.differing[slot.name] = None

    def _facts_of(
        self, stretch: _Stretch, sides: Sequence[Bytes], base: Bytes | None, room: Room
    ) -> Facts | None:
        known = self._facts.get(stretch.slot.start)
        survey = self._mixer.survey(stretch.slot) if known is None else None
        if survey is None:
            return known
        if not stretch.is_whole:
            self._look_at_small(stretch.slot, survey)
            return self._facts[stretch.slot.start]
        while survey.facts is None:
            survey.add(0, sides, base, room)
            survey.finish()
        return survey.facts

    def _look_at_small(self, slot: Slot, survey: Survey) -> None:
        """A range that ends inside of a small tensor: the whole of it is read once more."""
        while survey.facts is None:
            self._look(survey, _Stretch(slot, 0, slot.size))
            survey.finish()
        self._facts[slot.start] = survey.facts


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
