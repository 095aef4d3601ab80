"""Bytes as pages show them: of each model, its own and shared ones, and how they grew."""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import audit, models, volumes
from modelyard.catalog.queries.readable import readable, sees_all
from modelyard.core.recent import Recent
from modelyard.registry.lookup import moment
from modelyard.registry.stats import stats

if TYPE_CHECKING:
    from datetime import datetime

    from modelyard.catalog.engine import Catalog
    from modelyard.core.stats import YardStats
    from modelyard.registry.house import House

__all__ = ["Grown", "Volume", "Volumes", "volumes_of"]

_FILES = 50_000
"""Rows of files that are looked through while somebody waits."""
_SECONDS = 30.0
"""For which counts are kept: gc changes them without a word."""
_CALLERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Bytes of one model."""

    model: str
    """Its name."""
    versions: int
    logical: int
    """What all versions would take as plain copies."""
    new_bytes: int
    """What was stored when they came."""
    own: int | None
    """Of large files that no other model has; None if nobody counted."""
    shared: int | None
    """Of large files that other models have too; None if nobody counted."""


@dataclass(frozen=True, slots=True)
class Grown:
    """The yard at the end of a day."""

    time: datetime
    """Of the day's beginning, UTC."""
    versions: int
    """All that were there."""
    logical: int
    """What they would take as plain copies."""
    new_bytes: int
    """What was stored when they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """Bytes of all models that somebody may read."""

    whole: YardStats
    """Sums; what all models share is 0 unless every model may be read."""
    is_whole: bool
    """Whether every model may be read."""
    items: tuple[Volume, ...]
    """Largest first."""
    grown: tuple[Grown, ...]
    """Oldest first, of versions that are there now."""


_Counted = Recent[object, tuple[int, float, Volumes]]
_counted: weakref.WeakKeyDictionary[Catalog, _Counted] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def volumes_of(house: House) -> Volumes:
    """The bytes of the models that the caller may read.

    What was counted is told again for a while, as long as nothing happens in the yard.
    """
    caller = house.caller
    key = None if sees_all(caller) else (caller.grants, caller.only, caller.ceiling)
    with house.catalog.fresh() as connection:
        last = audit.last(connection)
    with _lock:
        kept = _counted.setdefault(house.catalog, Recent(_CALLERS))
    known = kept.get(key)
    now = time.monotonic()
    if known is not None and known[0] == last and now - known[1] < _SECONDS:
        return known[2]
    found = _count(house)
    kept.put(key, (last, now, found))
    return found


def _count(house: House) -> Volumes:
    where = readable(house.caller)
    whole = stats(house)
    with house.catalog.read() as connection:
        days = volumes.growth(connection, where)
        is_countable = volumes.few_files(connection, _FILES)
        held = volumes.held(connection, where) if is_countable else {}
        rows = models.listed(connection, deleted=False, where=where) if is_countable else ()
        names = {row.name: row.id for row in rows}
    nothing = volumes.Held(0, 0)
    items = []
    for each in whole.per_model:
        kept = held.get(names.get(each.name, 0), nothing) if is_countable else None
        items.append(
            Volume(
                model=each.name, versions=each.versions, logical=each.logical,
                new_bytes=each.new_bytes, own=kept.own if kept else None,
                shared=kept.shared if kept else None,
            )
        )  # fmt: skip
    return Volumes(
        whole=whole, is_whole=where is None, items=tuple(items), grown=tuple(_grown(days))
    )


def _grown(days: list[volumes.Day]) -> list[Grown]:
    found: list[Grown] = []
    count = size = new = 0
    for day in days:
        count, size, new = count + day.versions, size + day.size, new + day.new_bytes
        found.append(Grown(moment(day.start), count, size, new))
    return found
