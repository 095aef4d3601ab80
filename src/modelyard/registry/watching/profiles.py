"""References of versions in the catalog. What is in a body only `monitoring` knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from modelyard.catalog.queries import models, watch
from modelyard.catalog.queries.watch import ProfileRow
from modelyard.core.decoding import decode_json
from modelyard.core.monitoring import ProfileInfo
from modelyard.registry.access.notes import write_note

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["get", "keep", "stamp"]

_RANK = {"traffic": 0, "evaluation": 1, "data": 2}
_ENOUGH: Final = 500
"""Rows, below which an evaluation takes no place of a reference that has them."""


def get(house: House, model: str, number: int) -> tuple[ProfileInfo, bytes] | None:
    """A version's reference. Whether the caller may read the model is not asked here."""
    with house.catalog.fresh() as connection:
        row = models.by_name(connection, model)
        found = None if row is None else watch.profile(connection, row.id, number)
    return None if found is None else (decode_json(found.info, ProfileInfo), found.body)


def stamp(house: House, model_id: int) -> dict[int, tuple[str, int]]:
    """Source and time of the references of a model's versions: equal while none changed."""
    with house.catalog.fresh() as connection:
        found = watch.profiles_of(connection, model_id)
    return {number: (source, created) for number, source, created in found}


def keep(
    house: House,
    model: str,
    number: int,
    info: ProfileInfo,
    body: bytes,
    *,
    replace: bool = True,
    readable: Callable[[bytes], bool] = bool,
) -> ProfileInfo:
    """Keep a reference; gives the one that holds now.

    Args:
        replace: Also one of as good a source that is there already. A better one (data, then
            evaluation, then traffic) always stays; and of what can be read, an evaluation of a
            few rows replaces nothing that has enough, nor an evaluation of more than twice as many.
        readable: Whether a body can be read.
    """

    def work(connection: sa.Connection) -> ProfileInfo:
        row = models.by_name(connection, model)
        if row is None:  # it was deleted meanwhile
            return info
        there = watch.profile(connection, row.id, number)
        if there is not None:
            old, new = _RANK[there.source], _RANK[info.source]
            if old > new or (old == new and not replace):
                return decode_json(there.info, ProfileInfo)
            if info.source == "evaluation":
                known = decode_json(there.info, ProfileInfo)
                if _is_too_small(info.rows, known) and readable(there.body):
                    return known
        now = house.catalog.now(connection)
        text = msgspec.json.encode(info).decode()
        watch.put_profile(connection, ProfileRow(row.id, number, info.source, now, text, body))
        if info.source != "traffic":
            told = {"model": model, "number": number, "source": info.source, "data": info.data,
                    "rows": info.rows}  # fmt: skip
            write_note(house, connection, "profile", told, model=row.id)
        return info

    return house.catalog.write_alone(work)


def _is_too_small(rows: int, there: ProfileInfo) -> bool:
    """Whether an evaluation of so many rows says less than what is there."""
    if rows < _ENOUGH <= there.rows:
        return True
    return there.source == "evaluation" and 2 * rows < there.rows
