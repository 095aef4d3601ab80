"""Tiles of a window, read from the catalog and merged: what everything is computed from."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from modelyard.core.monitoring import Schema
from modelyard.errors import Corrupt
from modelyard.monitoring.folding import merge, new_tile
from modelyard.monitoring.packing import pack, unpack
from modelyard.monitoring.profile_packing import unpack_profile
from modelyard.registry.watching import profiles, tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.core.monitoring import ProfileInfo
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import Tile
    from modelyard.registry.house import House
    from modelyard.registry.watching.tiles import TileRow

__all__ = [
    "EMPTY", "PERFORMANCE", "Profiles", "Reference", "Span", "Spans", "Version", "digest_of",
    "longest", "merged", "opened", "read", "sealed",
]  # fmt: skip

_log = logging.getLogger("modelyard.monitoring")

EMPTY: Final = Schema(columns=())
"""Of tiles that know how requests went, and nothing of what was in them."""
PERFORMANCE: Final = 2
"""The kind of these: whatever a version is compared with, they stay the same."""
_DIGEST: Final = 8
_CACHED: Final = 64
Version = tuple[int, int]
"""A model's id, and a number."""


class Span(NamedTuple):
    """A tile, and when it was."""

    start: int
    """Seconds since 1970."""
    length: int
    """Seconds."""
    tile: Tile

    @property
    def end(self) -> int:
        return self.start + self.length


Spans = dict[Version, list[Span]]
"""Of each version, in time's order."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a version is compared with, ready to use."""

    info: ProfileInfo
    profile: Profile
    digest: bytes
    """Of its schema."""


@dataclass(slots=True)
class Profiles:
    """References of versions, kept in memory as long as they are the newest ones."""

    _found: OrderedDict[tuple[str, int], tuple[tuple[str, int], Reference | None]] = field(
        default_factory=OrderedDict
    )
    """With what was known of each when it was read; None: it can't be read."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, house: House, model_id: int, model: str, number: int) -> Reference | None:
        """The one that holds now; one that can't be read is none."""
        stamp = profiles.stamp(house, model_id).get(number)
        if stamp is None:
            return None
        key = (model, number)
        with self._lock:
            known = self._found.get(key)
            if known is not None and known[0] == stamp:
                self._found.move_to_end(key)
                return known[1]
        found = profiles.get(house, model, number)
        if found is None:
            return None
        info, body = found
        reference: Reference | None = None
        try:
            reference = Reference(info, unpack_profile(body), digest_of(info.schema))
        except Corrupt as error:  # of another program, or damaged: it is said once
            _log.warning("the reference of %s@%d can't be read: %s", model, number, error)
        with self._lock:
            self._found[key] = stamp, reference
            while len(self._found) > _CACHED:
                self._found.popitem(last=False)
        return reference


def digest_of(schema: Schema) -> bytes:
    """Names a schema: tiles of different ones can't be merged."""
    return hashlib.blake2b(msgspec.msgpack.encode(schema), digest_size=_DIGEST).digest()


def sealed(tile: Tile, digest: bytes) -> bytes:
    """A tile as it is kept, with the name of its schema."""
    return digest + pack(tile)


def opened(body: bytes, schema: Schema, digest: bytes) -> Tile | None:
    """The tile again; None if it is of another schema. Corrupt: `bad-tile`."""
    if body[:_DIGEST] != digest:
        return None
    return unpack(body[_DIGEST:], schema)


def merged(schema: Schema, parts: Iterable[Tile]) -> Tile:
    """One tile of several."""
    whole = new_tile(schema)
    for part in parts:
        merge(whole, part)
    return whole


def read(
    house: House,
    deployment_id: int,
    since: float,
    until: float,
    schemas: dict[Version, Schema],
    kind: int = tiles.TRAFFIC,
) -> Spans:
    """Tiles that overlap a window, of all servers and levels; those of other schemas are left out.

    Args:
        schemas: By version; others are left out. Of `PERFORMANCE` all are `EMPTY`.
    """
    found: Spans = {}
    for row in _rows(house, deployment_id, since, until, kind):
        version = (row.model_id, row.number)
        schema = EMPTY if kind == PERFORMANCE else schemas.get(version)
        if schema is None:
            continue
        try:
            tile = _tile_of(row, schema, kind)
        except Corrupt:  # of a newer or broken program: the rest is worth more than nothing
            continue
        if tile is not None:
            found.setdefault(version, []).append(Span(row.start, tiles.LENGTHS[row.level], tile))
    return found


def longest(house: House, deployment_id: int, since: float, until: float) -> int:
    """Seconds of the longest tile that tells how requests of a window went; a minute at least."""
    for level in (tiles.DAY, tiles.HOUR):
        length = tiles.LENGTHS[level]
        first = int(since) // length * length
        if tiles.between(house, deployment_id, first, until, kind=PERFORMANCE, level=level):
            return length
    return tiles.LENGTHS[tiles.MINUTE]


def _tile_of(row: TileRow, schema: Schema, kind: int) -> Tile | None:
    if kind == tiles.TRUTH:
        return unpack(row.body, schema)
    return opened(row.body, schema, digest_of(schema))


def _rows(
    house: House, deployment_id: int, since: float, until: float, kind: int
) -> Sequence[TileRow]:
    """Of all levels: what was rolled up is in a higher one, and nowhere else."""
    rows: list[TileRow] = []
    for level, length in enumerate(tiles.LENGTHS):
        first = int(since) // length * length
        rows += tiles.between(house, deployment_id, first, until, kind=kind, level=level)
    return sorted(rows, key=lambda row: row.start)
