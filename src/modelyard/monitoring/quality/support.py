"""Whether a window holds what the reference held: where scores were never calibrated, nothing is
known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import Tile

__all__ = ["calibrated_rates", "outside_of"]

_MOST: Final = 0.05
"""Share of a window's rows that may lie where the reference had none, beyond the reference's
own share."""


def outside_of(reference: Tile, window: Tile) -> str | None:
    """Why the window is out of the reference's support; None if it is within."""
    schema = window.schema
    for column, mine, own in zip(
        schema.of_kind("number"), window.numbers, reference.numbers, strict=True
    ):
        share = _share(mine.outside + mine.infinite, mine.rows)
        if share > _MOST + _share(own.outside + own.infinite, own.rows):
            return f"{share:.0%} of {column.name} are out of the reference's range"
        gone = _share(mine.nulls, mine.rows)
        if own.rows and not own.nulls and gone > _MOST:
            return f"{gone:.0%} of {column.name} have no value; in the reference all had one"
    for column, texts, before in zip(
        schema.of_kind("category"), window.categories, reference.categories, strict=True
    ):
        share = _share(int(texts.counts[-1]), texts.rows)
        if share > _MOST + _share(int(before.counts[-1]), before.rows):
            return f"{share:.0%} of {column.name} are texts that the reference does not know"
    scores, seen = window.predicted.scores, reference.predicted.scores
    rows = scores.sum(axis=1)
    new = np.where(_near(seen) == 0, scores, 0).sum(axis=1) / np.maximum(rows, 1)
    if new.size and float(new.max()) > _MOST:
        return f"{float(new.max()):.0%} of the scores are such as the reference never had"
    return None


def _near(counts: Array) -> Array:
    """Rows of a bin and of those beside it."""
    wide = np.pad(counts, ((0, 0), (1, 1)))
    near: Array = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return near


def _share(part: int, rows: int) -> float:
    return part / rows if rows else 0.0


def calibrated_rates(ranks: Array) -> Array:
    """float64 [bins]: the second class's share among rows of each bin of scores.

    It never falls from a bin to the next (isotonic regression by pooling adjacent violators), and
    is read off a line between bins that were seen.

    Args:
        ranks: int64 [2, bins]: rows of the first and of the second class.
    """
    rows = ranks.sum(axis=0).astype(np.float64)
    places = np.flatnonzero(rows)
    blocks: list[tuple[float, float, int]] = []
    for place in places.tolist():
        blocks.append((float(ranks[1, place]), float(rows[place]), 1))
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            hits, weight, size = blocks.pop()
            before = blocks.pop()
            blocks.append((before[0] + hits, before[1] + weight, before[2] + size))
    shares = np.repeat([hits / weight for hits, weight, _ in blocks], [b[2] for b in blocks])
    rates: Array = np.interp(np.arange(ranks.shape[1]), places, shares)
    return rates
