"""A reference and windows of real rows, for tests of drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.monitoring.extracting import One, reader_of
from modelyard.monitoring.folding import fold, new_tile
from modelyard.monitoring.profiles import Profile, profile_from_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.monitoring.tiles import Tile

__all__ = ["Made", "columns", "outputs"]


def columns(random: np.random.Generator, rows: int) -> dict[str, Any]:
    """Numbers of several shapes, a flag, a count, a text."""
    return {
        "age": random.normal(40, 12, rows),
        "income": random.lognormal(10, 1, rows),
        "late": random.poisson(1.5, rows),
        "owner": random.integers(0, 2, rows),
        "city": random.choice(["Aachen", "Basel", "Chur"], rows, p=[0.6, 0.3, 0.1]),
    }


def outputs(random: np.random.Generator, rows: int, chance: float = 0.2) -> dict[str, Any]:
    """Of a classifier with two classes."""
    yes = random.beta(10 * chance, 10 * (1 - chance), rows)
    return {"label": (yes > 0.5).astype(int), "probabilities": np.stack([1 - yes, yes], axis=1)}


class Made:
    """A profile, and windows of it."""

    def __init__(
        self, asked: Mapping[str, Any], gave: Mapping[str, Any], truth: Any = None
    ) -> None:
        self.profile: Profile = profile_from_rows(asked, gave, truth)

    def window(self, asked: Mapping[str, Any], gave: Mapping[str, Any]) -> Tile:
        schema = self.profile.schema
        tile = new_tile(schema)
        rows = len(next(iter(asked.values())))
        feeds = {name: np.asarray(value) for name, value in asked.items()}
        fold(tile, reader_of(schema, feeds)([One(feeds, gave, rows, "", "")]))
        return tile
