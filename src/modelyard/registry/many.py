"""The same question to many objects of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.registry.house import House

__all__ = ["each"]

T = TypeVar("T")


def each(house: House, work: Callable[[str], T], keys: Sequence[str]) -> list[T]:
    """Do something with many objects, as many at once as the store takes."""
    if house.backend.facts.max_parallel > 1 and len(keys) > 1:
        return list(house.pool.map(work, keys))
    return [work(key) for key in keys]
