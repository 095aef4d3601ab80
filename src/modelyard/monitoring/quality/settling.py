"""Truths that found their answers: marked as joined, and folded into tiles of their minutes.

Only what can be counted is joined. An answer that the reference of now can't count (it was a
number, and now there are classes; its class is none of them), or whose minute holds truths of other
classes, stays as it was: its truth is as one without an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.queries import watch, watch_answers
from modelyard.catalog.queries.watch import TileRow
from modelyard.errors import Corrupt
from modelyard.monitoring.folding import new_tile
from modelyard.monitoring.packing import pack, unpack_truth
from modelyard.monitoring.quality.answers import pack_joined, unpack_joined
from modelyard.monitoring.quality.given import class_codes, numbers_of
from modelyard.monitoring.truths import UNKNOWN, UNLISTED, fold_truth
from modelyard.registry.watching.tiles import EVERYBODY, MINUTE, TRUTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.quality.answers import Answers
    from modelyard.monitoring.quality.finding import Found
    from modelyard.monitoring.quality.given import Given
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import Tile

__all__ = ["Outcome", "Settled", "settle"]


class Outcome(IntEnum):
    """What becomes of a truth; of several answers, what is highest."""

    UNKNOWN = 0
    LATE = 1
    DUPLICATE = 2
    CONFLICTING = 3
    JOINED = 4


@dataclass(slots=True, eq=False)
class Settled:
    """Truths, and what becomes of each."""

    given: Given
    keys: Array
    since: float
    """Answers before this time, in seconds since 1970, get no truth any more."""
    outcomes: Array = field(init=False)
    """int8 [truths]."""
    _codes: dict[tuple[str, ...] | None, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outcomes = np.zeros(len(self.keys), np.int8)

    def truths(self, answers: Answers) -> Array:
        """As `joined` of such answers holds them: made once for each order of classes."""
        is_class = answers.labels is not None and bool(answers.classes)
        kind = answers.classes if is_class else None
        if kind not in self._codes:
            given = self.given.truths
            self._codes[kind] = numbers_of(given) if kind is None else class_codes(given, kind)
        return self._codes[kind]

    def note(self, which: Array, outcome: Outcome) -> None:
        self.outcomes[which] = np.maximum(self.outcomes[which], outcome)


@dataclass(slots=True, eq=False)
class _New:
    """Rows of one segment that are joined now."""

    answers: Answers
    rows: Array
    truth: Array
    lags: Array


def settle(
    connection: sa.Connection,
    deployment_id: int,
    found: Found,
    segments: Mapping[int, Answers],
    schemas: Mapping[tuple[int, int], Schema],
    settled: Settled,
) -> None:
    """Join what was found of one version, within a transaction in which nobody else writes."""
    wanted = [int(key) for key in np.unique(found.segments) if key >= 0]
    known = watch_answers.joined(connection, wanted)
    tiles = _Tiles(
        connection, schemas[found.model_id, found.number],
        TileRow(deployment_id, found.model_id, found.number, TRUTH, MINUTE, 0, EVERYBODY, 0, b""),
    )  # fmt: skip
    new: list[_New] = []
    for key in wanted:
        answers = segments.get(key)
        if answers is None:
            continue
        which = np.flatnonzero(found.segments == key)
        joined = unpack_joined(known[key], answers)
        mine = _settle(answers, joined, which, found.places[which], settled, tiles)
        if len(mine.rows):
            watch_answers.set_joined(connection, key, pack_joined(joined))
            new.append(mine)
    for minute in sorted({int(m) for mine in new for m in np.unique(_minutes(mine))}):
        tile = tiles.of(minute)
        assert tile is not None  # else nothing of this minute was joined
        for mine in new:
            _fold(tile, mine, _minutes(mine) == minute)
        tiles.write(minute, tile)


@dataclass(slots=True, eq=False)
class _Tiles:
    """Tiles of truth of one version, by the minute."""

    connection: sa.Connection
    schema: Schema
    key: TileRow
    _known: dict[int, Tile | None] = field(default_factory=dict)

    def of(self, minute: int) -> Tile | None:
        """A new one if there is none; None: it holds truths of other classes."""
        if minute not in self._known:
            body = watch.tile(self.connection, self.key._replace(start=minute))
            self._known[minute] = _opened(body, self.schema)
        return self._known[minute]

    def write(self, minute: int, tile: Tile) -> None:
        row = self.key._replace(start=minute, rows=tile.truth.rows, body=pack(tile))
        watch.put_tiles(self.connection, [row])

    def countable(self, answers: Answers, places: Array) -> Array:
        """bool [places]: whether truths of these answers would be counted."""
        if self.schema.classes and answers.classes and answers.labels is not None:
            own = np.array([name in self.schema.classes for name in answers.classes])
            labels = answers.labels[places]
            fine: Array = (labels < 0) | own[labels]
        else:
            numbers = not self.schema.classes and self.schema.values is not None
            fine = np.full(len(places), numbers and answers.values is not None)
        minutes = answers.times[places] // 60 * 60
        taken = [m for m in np.unique(minutes[fine]).tolist() if self.of(m) is None]
        return fine & ~np.isin(minutes, taken)


def _settle(
    answers: Answers, joined: Array, which: Array, places: Array, settled: Settled, tiles: _Tiles
) -> _New:
    """Decide about truths of one segment; changes `joined`.

    Args:
        which: Their places among all truths.
        places: Of their answers in the segment.
    """
    truth = settled.truths(answers)[which]
    usable = ~np.isnan(truth) if truth.dtype.kind == "f" else np.ones(len(truth), bool)
    late = usable & (answers.times[places] < settled.since)
    settled.note(which[late], Outcome.LATE)
    which, places, truth = (part[usable & ~late] for part in (which, places, truth))
    free = _free(joined[places])
    held = np.zeros(len(places), bool)
    held[free] = ~tiles.countable(answers, places[free])
    which, places, truth = (part[~held] for part in (which, places, truth))
    free = free[~held]
    _, firsts = np.unique(places, return_index=True)  # the first of several of one answer counts
    is_first = np.zeros(len(places), bool)
    is_first[firsts] = True
    is_new = free & is_first
    joined[places[is_new]] = truth[is_new]
    settled.note(which[is_new], Outcome.JOINED)
    same = joined[places] == truth
    settled.note(which[~is_new & same], Outcome.DUPLICATE)
    settled.note(which[~is_new & ~same], Outcome.CONFLICTING)
    received = np.array([settled.given.received[at] for at in which[is_new].tolist()])
    rows = places[is_new]
    lags = np.maximum(received - answers.times[rows], 0.0)
    return _New(answers, rows, truth[is_new], lags)


def _minutes(new: _New) -> Array:
    minutes: Array = new.answers.times[new.rows] // 60 * 60
    return minutes


def _free(joined: Array) -> Array:
    """Where no truth is known."""
    free: Array = np.isnan(joined) if joined.dtype.kind == "f" else joined == UNKNOWN
    return free


def _opened(body: bytes | None, schema: Schema) -> Tile | None:
    if body is None:
        return new_tile(schema)
    try:
        return unpack_truth(body, schema)
    except Corrupt:  # of another program: what comes now is worth more than nothing
        return new_tile(schema)


def _fold(tile: Tile, new: _New, which: Array) -> None:
    rows, truth, answers = new.rows[which], new.truth[which], new.answers
    if not len(rows):
        return
    schema = tile.schema
    labels = None if answers.labels is None else answers.labels[rows]
    if truth.dtype.kind == "i" and answers.classes != schema.classes and labels is not None:
        own = {name: place for place, name in enumerate(schema.classes)}
        same = np.array([own.get(name, UNLISTED) for name in answers.classes], np.int64)
        labels = np.where(labels >= 0, same[labels], -1)
        labels = np.where(labels < 0, -1, labels)
        truth = np.where(truth >= 0, same[truth], truth)
    is_same = answers.classes == schema.classes
    confidence, second = answers.confidence(), answers.second()
    fold_truth(
        tile.truth, schema, truth,
        labels=labels,
        confidence=None if confidence is None else confidence[rows],
        second=None if second is None or not is_same else second[rows],
        values=None if answers.values is None else answers.values[rows],
        groups={
            name: _groups(schema, name, answers, codes[rows])
            for name, codes in answers.codes.items() if name in schema.groups
        },
        lags=new.lags[which],
    )  # fmt: skip


def _groups(schema: Schema, name: str, answers: Answers, codes: Array) -> Array:
    """Places of groups as the schema has them; beyond the last: other."""
    column = schema.column(name)
    wanted = () if column is None else column.categories
    if answers.groups[name] == wanted:
        return codes.astype(np.int64)
    own = {value: place for place, value in enumerate(wanted)}
    other = len(wanted)
    same = np.array([own.get(value, other) for value in answers.groups[name]] + [other])
    placed: Array = same[codes]
    return placed
