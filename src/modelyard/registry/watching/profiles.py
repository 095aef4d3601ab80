"""References of versions in the catalog. What is in a body only `monitoring` knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from modelyard.catalog.queries import models, watch
from modelyard.catalog.queries.watch import ProfileRow
from modelyard.core.decoding import decode_json
from modelyard.core.monitoring import ProfileInfo

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["get", "keep", "stamp"]

_RANK = {"traffic": 0, "evaluation": 1, "data": 2}


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
    house: House, model: str, number: int, info: ProfileInfo, body: bytes, *, replace: bool = True
) -> ProfileInfo:
    """Keep a reference; gives the one that holds now.

    Args:
        replace: Also one of as good a source that is there already. A better one (data, then
            evaluation, then traffic) always stays.
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
        now = house.catalog.now(connection)
        text = msgspec.json.encode(info).decode()
        watch.put_profile(connection, ProfileRow(row.id, number, info.source, now, text, body))
        return info

    return house.catalog.write_alone(work)
