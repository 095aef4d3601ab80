"""Rows that go: versions whose time is over, then blobs and chunks that nothing needs.

What is needed is found out beside everybody else. Only the short transactions that delete are
alone, and each looks first at what was committed since. See docs/decisions/0012-gc.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.queries import arrivals, garbage, models, reports, versions
from modelyard.errors import NotFound
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.marks import ARRIVAL, Marks

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from modelyard.registry.house import House
    from modelyard.registry.marks import Numbers

__all__ = ["expire", "expiry", "sweep"]

_DAY = 86_400_000_000
_SLICE = 5_000
"""Rows that are deleted while everybody waits."""


def expiry(house: House, now: int) -> int:
    """What was deleted before this moment can't be restored any more."""
    return now - int(house.settings.keep_deleted_days * _DAY)


def expire(house: House) -> int:
    """Drop the files of versions, and the rows of models, whose time is over; how many versions."""
    with house.catalog.read() as connection:
        before = expiry(house, house.catalog.now(connection))
        old = garbage.expired_models(connection, before)
        if not old and not garbage.expired_versions(connection, before):
            return 0

    def work(journal: Journal) -> int:
        connection, before = journal.connection, expiry(house, journal.now)
        found = {model_id for _, model_id, _ in garbage.expired_versions(connection, before)}
        held = _hold(journal, found.union(garbage.expired_models(connection, before)))
        # only now do they stand still: another gc may have been here, or somebody restored one
        expired = [v for v in garbage.expired_versions(connection, before) if v[1] in held]
        for key, model_id, number in expired:
            _purge(journal, key, model_id, number)
        for key in held.intersection(garbage.expired_models(connection, before)):
            name = _name(connection, key)
            journal.write("forget-model", who="gc", model=key, name=name, detail={})
            garbage.drop_models(connection, [key])
        return len(expired)

    count: int = in_journal(house, work)
    return count


def _hold(journal: Journal, keys: Iterable[int]) -> set[int]:
    """Lock models, always in the same order; those that are there."""
    held = set()
    for key in sorted(keys):
        try:
            journal.hold(key)
        except NotFound:
            continue
        held.add(key)
    return held


def _purge(journal: Journal, key: int, model_id: int, number: int) -> None:
    connection = journal.connection
    row = versions.by_ids(connection, [key]).get(key)
    versions.drop_files(connection, key)
    reports.drop(connection, key)
    versions.update(connection, key, purged=True)
    if row is not None and not row.purged:
        journal.write(
            "purge", who="gc", model=model_id, name=_name(connection, model_id),
            detail={"number": number},
        )  # fmt: skip


def _name(connection: sa.Connection, model_id: int) -> str:
    model = models.by_id(connection, model_id)
    return model.name if model else ""


def sweep(house: House) -> int:
    """Delete the rows of what nothing needs, condemn packs that are empty; how many chunks went."""
    since = house.catalog.write_alone(garbage.last_version)
    with house.catalog.read() as connection:
        marks = Marks(house, connection, since=since)
    _drop_blobs(house, marks)
    count = _drop_chunks(house, marks)
    _condemn(house)
    return count


def _drop_blobs(house: House, marks: Marks) -> None:
    rest = sorted(marks.blobs)
    while rest:
        some, rest = rest[:_SLICE], rest[_SLICE:]

        def work(connection: sa.Connection, some: list[int] = some) -> None:
            marks.catch_up(connection, alone=True)
            garbage.drop_blobs(connection, marks.blobs.intersection(some))
            garbage.drop_places(connection)

        _nearly_done(house, marks)
        house.catalog.write_alone(work)


def _drop_chunks(house: House, marks: Marks) -> int:
    gone, count = marks.gone(), 0
    for at in range(0, len(gone), _SLICE):
        places = gone[at : at + _SLICE]

        def work(connection: sa.Connection, places: Numbers = places) -> int:
            marks.catch_up(connection, alone=True)
            now = house.catalog.now(connection)
            return garbage.drop_chunks(connection, _going(connection, marks, places, now))

        _nearly_done(house, marks)
        count += house.catalog.write_alone(work)
    return count


def _going(connection: sa.Connection, marks: Marks, places: Numbers, now: int) -> set[int]:
    """Those of some chunks that nothing needs, no session holds, and no delta is based on."""
    leased = list(garbage.leased_packs(connection, now))
    places = places[~marks.needed[places]]
    places = places[~np.isin(marks.columns.packs[places], leased)]
    ids: set[int] = set(marks.columns.ids[places].tolist())
    return ids - {base for delta, base in garbage.deltas_on(connection, ids) if delta not in ids}


def _nearly_done(house: House, marks: Marks) -> None:
    """Look at what is new before everybody waits for it."""
    with house.catalog.read() as connection:
        marks.catch_up(connection)


def _condemn(house: House) -> None:
    def work(connection: sa.Connection) -> None:
        now = house.catalog.now(connection)
        leased = garbage.leased_packs(connection, now)
        empty = [key for key in garbage.empty_packs(connection) if key not in leased]
        garbage.set_pack_state(connection, empty, "condemned", now)
        garbage.end_leases(connection, now)
        arrivals.drop_old(connection, now - ARRIVAL)

    house.catalog.write_alone(work)
