"""What models are called whose tiles are there, whether they are still served or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import models
from modelyard.registry.access.door import readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.registry.house import House

__all__ = ["id_of", "name_of", "named"]


def named(house: House, ids: Iterable[int]) -> dict[int, str]:
    """Names of models by id; those that the caller may not read are left out."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    with house.catalog.read() as connection:
        found = models.names_of(connection, wanted)
    may = readable(house, house.caller)
    return {key: name for key, name in found.items() if may(name)}


def id_of(house: House, model: str) -> int | None:
    """A model's id, whoever may read it; None if it is not there."""
    with house.catalog.fresh() as connection:
        row = models.by_name(connection, model)
    return None if row is None else row.id


def name_of(house: House, model_id: int) -> str | None:
    """A model's name, whoever may read it; None if it is not there."""
    with house.catalog.fresh() as connection:
        row = models.by_id(connection, model_id)
    return None if row is None or row.deleted else row.name
