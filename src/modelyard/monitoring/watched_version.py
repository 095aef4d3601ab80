"""One version of one deployment in one process: its tiles of this minute, and its reference."""

from __future__ import annotations

import logging
import secrets
import time
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from modelyard.core.monitoring import ProfileInfo
from modelyard.errors import ModelyardError
from modelyard.monitoring import windows
from modelyard.monitoring.extracting import joined, reader_of
from modelyard.monitoring.folding import fold, fold_asked, new_tile
from modelyard.monitoring.looking import profiles_of
from modelyard.monitoring.profile_packing import pack_profile
from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.quality.answers import join_answers, pack_answers
from modelyard.monitoring.quality.leakage import Known
from modelyard.monitoring.unreferenced import Before, answers_alone
from modelyard.registry.watching import profiles, tiles
from modelyard.registry.watching.versions import id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.monitoring.extracting import One
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array, Asked, Rows
    from modelyard.monitoring.tiles import Tile
    from modelyard.monitoring.windows import Reference
    from modelyard.registry.house import House
    from modelyard.registry.watching.seeing import Watched
    from modelyard.registry.watching.tiles import TileRow

__all__ = ["WatchedVersion"]

_log = logging.getLogger("modelyard.monitoring")
_FIRST: Final = 1000
"""Rows of which a reference is made if there is no better one."""
_FIRST_BYTES: Final = 64 << 20
"""Of so many bytes it is made in any case."""
_AT_ONCE: Final = 1024
"""Requests that are folded together: it takes some milliseconds, in which nobody else computes."""
_NEAR: Final = 5
"""Seconds between two looks whether rows are close to the reference's."""
_DTYPE, _SHAPE = attrgetter("dtype"), attrgetter("shape")
_MINUTES: Final = 120
"""Tiles that are kept while they can't be written."""
_WAITING: Final = 1000
"""Batches of answers that are kept so."""
_LOOK: Final = 5.0
"""Seconds between two looks whether there is another reference."""


class WatchedVersion:
    """Used by one thread at a time; its owner has a lock."""

    def __init__(
        self, at: Watched, model_id: int, model: str, number: int, redact: Sequence[str],
        classes: tuple[str, ...] | None,
    ) -> None:  # fmt: skip
        self.at = at
        self.model_id = model_id
        self.model = model
        self.number = number
        self._answers: list[tuple[bytes, int, int]] = []
        """Packed, with their second and their rows: to be written."""
        self.made: tuple[Profile, int] | None = None
        """A reference that was made of traffic, and of how many rows: to be written."""
        self.is_written = True
        self.used = time.monotonic()
        """When it was asked last."""
        self._own = secrets.token_hex(3)
        self._own_traffic = secrets.token_hex(3)
        """Parts of tiles' names: what begins anew takes no older one's place."""
        self._redact = frozenset(redact)
        self._classes = classes
        self._reference: Reference | None = None
        self._known: Known | None = None
        self._seen_at = 0
        self._near_after = 0
        self._readers: dict[tuple[object, ...], Callable[[Sequence[One]], Rows]] = {}
        self._speed: dict[int, Tile] = {}
        self._traffic: dict[int, Tile] = {}
        self._over = -1
        """The last minute that is not kept any more."""
        self._dirty: set[tuple[int, int]] = set()
        self._held: dict[tuple[int, bool], list[One]] = {}
        """By second, and whether it was asked as a shadow."""
        self._held_count = 0
        self._held_since = 0.0
        self._first: list[One] = []
        self._first_rows = self._first_bytes = 0
        self._before = Before()
        self._looked = time.monotonic()

    @classmethod
    def of(
        cls, house: House, at: Watched, model: str, number: int, redact: Sequence[str],
        classes: tuple[str, ...] | None,
    ) -> Self | None:  # fmt: skip
        """None if the model is not there any more."""
        model_id = id_of(house, model)
        if model_id is None:
            return None
        made = cls(at, model_id, model, number, redact, classes)
        made._use(profiles_of(house).of(house, model_id, model, number))
        return made

    @property
    def profile(self) -> Profile | None:
        """What it is compared with."""
        return None if self._reference is None else self._reference.profile

    @property
    def traffic(self) -> Mapping[int, Tile]:
        """Tiles of rows that are being filled, by their minute."""
        return self._traffic

    # -- taking ----------------------------------------------------------------------------------

    def asked(self, asked: Asked, dropped: int) -> None:
        """How requests went."""
        self.used = time.monotonic()
        tile = self._tile(self._speed, asked.second, windows.PERFORMANCE)
        fold_asked(tile, asked)
        tile.performance.dropped += dropped

    def missed(self, rows: int) -> None:
        """Rows that could not be taken."""
        tile = self._tile(self._speed, int(time.time()), windows.PERFORMANCE)
        tile.performance.dropped += rows

    def redact(self, names: Sequence[str]) -> None:
        """What may be kept of no row, from now on."""
        if self._redact != frozenset(names):
            self._redact = frozenset(names)
            self._begin_traffic()

    def hold(self, ones: Sequence[One], second: int, *, shadow: bool = False) -> None:
        """Keep what was answered until it is folded with what comes soon after it."""
        if not ones:
            return
        if not self._held:
            self._held_since = time.monotonic()
        self._held.setdefault((second, shadow), []).extend(ones)
        self._held_count += len(ones)
        self.is_written = False

    @property
    def is_full(self) -> bool:
        """Whether so much is held that it is to be folded now."""
        return self._held_count >= _AT_ONCE

    def is_due(self, seconds: float) -> bool:
        """Whether something is held for so long."""
        return bool(self._held) and time.monotonic() - self._held_since >= seconds

    def folded(self) -> Iterator[tuple[Rows, bool]]:
        """Fold what is held, each minute's together; gives it again as rows, and whether they
        were answered as a shadow."""
        held, self._held, self._held_count = self._held, {}, 0
        together: dict[tuple[int, bool], tuple[int, list[One]]] = {}
        for (second, shadow), ones in held.items():
            _, some = together.setdefault((second // 60, shadow), (second, []))
            some += ones
            together[second // 60, shadow] = second, some
        for (_, shadow), (second, ones) in together.items():
            try:
                for rows in self._rows(ones, second):
                    yield rows, shadow
            except Exception:
                self.missed(sum(one.rows for one in ones))
                _log.exception("rows of %s could not be taken", self.at.name)

    def _rows(self, ones: Sequence[One], second: int) -> Iterator[Rows]:
        if self._reference is None:
            self._gather(ones)
            self._before.keep(ones, second)
            for some in _alike(ones):
                if (answers := answers_alone(some)) is not None:
                    yield answers
            return
        for some in _alike(ones):
            yield self._fold(some, second)

    def _fold(self, ones: Sequence[One], second: int) -> Rows:
        assert self._reference is not None
        rows = self._read(ones, self._reference)
        tile = self._tile(self._traffic, second, tiles.TRAFFIC)
        fold(tile, rows, self._reference.profile.calibration)
        self._answered(rows, second, self._seen)
        return rows

    def _read(self, ones: Sequence[One], reference: Reference) -> Rows:
        key = _sides(ones[0])
        read = self._readers.get(key)
        if read is None:
            if len(self._readers) > 64:
                self._readers.clear()
            read = self._readers[key] = reader_of(
                reference.info.schema, ones[0].feeds, reference.profile.scoring
            )
        return read(ones)

    def _answered(
        self, rows: Rows, second: int, seen: Callable[[Rows, int], Array | None] | None = None
    ) -> None:
        """Remember what was answered, for when its truth comes."""
        if rows.labels is None and rows.values is None:
            return
        times = np.full(rows.count, float(second))
        packed = pack_answers(rows, times, None if seen is None else seen(rows, second))
        self._answers.append((packed, second, rows.count))

    def _answer_before(self, reference: Reference) -> None:
        """Truth may come for what was answered before there was a reference, too.

        Into no tile: nobody is told that the first rows are like the reference made of them.
        """
        for second, ones in self._before.taken():
            try:
                for some in _alike(ones):
                    self._answered(self._read(some, reference), second)
            except Exception:
                _log.exception("rows of %s could not be taken", self.at.name)

    def _seen(self, rows: Rows, second: int) -> Array | None:
        """Whether rows are the reference's, of some rows each second: that tells as much as all.

        Now and then, whether a few are close to the reference's.
        """
        if self._known is None:
            return None
        if second <= self._seen_at:
            return np.zeros(rows.count, np.uint8)
        self._seen_at = second
        near = second >= self._near_after
        if near:
            self._near_after = second + _NEAR
        return self._known.seen(rows, near=near)

    def _tile(self, kept: dict[int, Tile], second: int, kind: int) -> Tile:
        minute = second // 60 * 60
        if minute <= self._over and minute not in kept:  # it is written: nothing may replace it
            minute = max(int(time.time()) // 60 * 60, self._over + 60)
        self._dirty.add((kind, minute))
        self.is_written = False
        found = kept.get(minute)
        if found is None:
            schema = windows.EMPTY
            if kind == tiles.TRAFFIC and self._reference is not None:
                schema = self._reference.info.schema
            found = kept[minute] = new_tile(schema, self._redact)
        return found

    def _gather(self, ones: Sequence[One]) -> None:
        """Keep the first rows until they are enough for a reference."""
        if self.made is not None:
            return
        self._first += ones
        self._first_rows += sum(one.rows for one in ones)
        self._first_bytes += sum(array.nbytes for one in ones for array in one.feeds.values())
        if self._first_rows < _FIRST and self._first_bytes < _FIRST_BYTES:
            return
        first, self._first, self._first_rows, self._first_bytes = self._first, [], 0, 0
        alike = max(_alike(first), key=len)
        inputs = [name for name in alike[0].feeds if name not in self._redact]
        outputs = [name for name in alike[0].outputs if name not in self._redact]
        if not inputs or not outputs:
            return
        try:
            profile = profile_from_rows(
                joined((one.feeds for one in alike), inputs),
                joined((one.outputs for one in alike), outputs), classes=self._classes or (),
            )  # fmt: skip
        except ModelyardError as error:
            _log.warning("%s@%d: no reference of its traffic: %s", self.model, self.number, error)
            return
        self.made = profile, sum(one.rows for one in alike)

    # -- writing ---------------------------------------------------------------------------------

    def tiles(self, server: str) -> list[tiles.TileRow]:
        """What changed since it was asked last, ready to be written."""
        rows = []
        for kind, minute in sorted(self._dirty):
            is_speed = kind == windows.PERFORMANCE
            tile = (self._speed if is_speed else self._traffic).get(minute)
            if tile is None:
                continue
            digest = windows.digest_of(tile.schema)
            count = tile.performance.rows if is_speed else tile.rows
            own = f"{server[:90]}/{self._own if is_speed else self._own_traffic}"
            rows.append(tiles.TileRow(
                self.at.id, self.model_id, self.number, kind, tiles.MINUTE, minute, own, count,
                windows.sealed(tile, digest),
            ))  # fmt: skip
        self._dirty.clear()
        return rows

    def taken_answers(self) -> list[tuple[bytes, int, int, int]]:
        """Answers since it was asked last: packed, first and last second, rows."""
        taken, self._answers = self._answers, []
        return [
            (
                body, min(taken[at][1] for at in places), max(taken[at][1] for at in places),
                sum(taken[at][2] for at in places),
            )
            for places, body, _ in join_answers([(body, b"") for body, *_ in taken])
        ]  # fmt: skip

    def not_written(
        self, rows: Sequence[TileRow], answers: Sequence[tuple[bytes, int, int, int]]
    ) -> None:
        """The catalog is away: these are to be written the next time, as far as there is room."""
        self._dirty |= {(row.kind, row.start) for row in rows}
        waiting = [(body, last, count) for body, _, last, count in answers]
        self._answers = [*waiting, *self._answers][-_WAITING:]
        for kept in (self._speed, self._traffic):
            for minute in sorted(kept)[:-_MINUTES]:
                self._forget(kept, minute)

    def written(self, now: float) -> None:
        """Minutes that are over are not needed any more."""
        this = int(now) // 60 * 60
        dirty = {minute for _, minute in self._dirty}
        for kept in (self._speed, self._traffic):
            for minute in [m for m in kept if m < this - 60 and m not in dirty]:
                self._forget(kept, minute)
        self.is_written = not self._dirty and not self._held

    def _forget(self, kept: dict[int, Tile], minute: int) -> None:
        del kept[minute]
        self._over = max(self._over, minute)

    def keep_reference(self, house: House, made: tuple[Profile, int]) -> None:
        """Write down the reference that was made of traffic, if there is no better one by now."""
        profile, rows = made
        info = ProfileInfo(
            model=self.model, number=self.number, created=datetime.now(UTC), source="traffic",
            rows=rows, data=None, data_digest=None, schema=profile.schema,
        )  # fmt: skip
        there = profiles_of(house).of(house, self.model_id, self.model, self.number)
        profiles.keep(
            house, self.model, self.number, info, pack_profile(profile), replace=there is None
        )
        self.made = None
        self._looked = float("-inf")

    def look_again(self, house: House) -> None:
        """Use another reference, if there is one now."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        found = profiles_of(house).of(house, self.model_id, self.model, self.number)
        if found is not self._reference:
            self._use(found)

    def _use(self, reference: Reference | None) -> None:
        self._reference = reference
        is_data = reference is not None and reference.info.source != "traffic"
        try:
            self._known = Known(reference.profile) if reference is not None and is_data else None
        except Exception:  # it does not fit together: nothing is said of its rows
            self._known = None
            _log.exception("%s@%d: its reference", self.model, self.number)
        self._near_after = 0
        self._readers.clear()
        self._begin_traffic()  # of another schema
        if reference is not None:
            self._answer_before(reference)

    def _begin_traffic(self) -> None:
        """Fold into new tiles; what is written stays."""
        self._traffic.clear()
        self._own_traffic = secrets.token_hex(3)
        self._dirty = {(kind, minute) for kind, minute in self._dirty if kind != tiles.TRAFFIC}


def _sides(one: One) -> tuple[object, ...]:
    """What requests must have alike to be read together."""
    feeds = tuple((name, a.dtype.str, a.shape[1:]) for name, a in one.feeds.items())
    return feeds, tuple((name, a.dtype.str, a.shape[1:]) for name, a in one.outputs.items())


def _are_alike(ones: Sequence[One]) -> bool:
    """Whether all of them can be read together: as `_sides` says it, and much quicker."""
    for each in ([one.feeds for one in ones], [one.outputs for one in ones]):
        names = list(each[0])
        if not all(map(names.__eq__, map(list, each))):
            return False
        for name in names:
            arrays = list(map(itemgetter(name), each))
            if len(set(map(_DTYPE, arrays))) > 1:
                return False
            if len({shape[1:] for shape in set(map(_SHAPE, arrays))}) > 1:
                return False
    return True


def _alike(ones: Sequence[One]) -> list[list[One]]:
    """Groups of requests that can be read together, none of them too large."""
    groups: dict[tuple[object, ...], list[One]] = {}
    if _are_alike(ones):
        groups[()] = list(ones)
    else:
        for one in ones:
            groups.setdefault(_sides(one), []).append(one)
    return [
        group[at : at + _AT_ONCE]
        for group in groups.values()
        for at in range(0, len(group), _AT_ONCE)
    ]
