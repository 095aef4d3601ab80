"""References and windows as counts, drawn from their exact distributions without drawing rows.

The reference's own quantiles are its edges, so its counts are equal and what its bins really hold
is random (Dirichlet); a window's counts are multinomial. A million rows cost as much as a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from modelyard.core.monitoring import Column, Schema
from modelyard.monitoring.folding import new_tile
from modelyard.monitoring.profiles import Profile
from modelyard.monitoring.tiles import SCORE_BINS

__all__ = ["Truth", "world"]

BINS = 32
CONTINUOUS, FLAGS, COUNTS, TEXTS = 16, 2, 2, 4
NUMBERS = CONTINUOUS + FLAGS + COUNTS
SAMPLE = 300
CLASSES = ("no", "yes")


def _schema() -> Schema:
    edges = tuple((np.arange(1, BINS) / BINS).tolist())
    numbers = [Column(name=f"x{i}", kind="number", edges=edges, low=0, high=1)
               for i in range(CONTINUOUS)]  # fmt: skip
    numbers += [Column(name=f"flag{i}", kind="number", edges=(0.0,), low=0, high=1)
                for i in range(FLAGS)]  # fmt: skip
    numbers += [
        Column(name=f"count{i}", kind="number", edges=tuple(map(float, range(12))), low=0, high=20)
        for i in range(COUNTS)
    ]
    texts = [
        Column(
            name=f"text{i}", kind="category", categories=tuple(f"c{j}" for j in range(10 * i + 2))
        )
        for i in range(TEXTS)
    ]
    return Schema(columns=(*numbers, *texts), task="classification", classes=CLASSES)


SCHEMA = _schema()


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What the bins of all columns really hold, and a reference drawn from it."""

    random: np.random.Generator
    chances: list[np.ndarray]
    nulls: float
    profile: Profile

    def window(self, rows: int, shift: float = 0.0) -> Any:
        """A tile of rows; the first column is moved by so many standard deviations."""
        chances = list(self.chances)
        if shift:
            ends = special.ndtri(np.minimum(np.cumsum(chances[0])[:-1], 1 - 1e-12))
            chances[0] = np.diff(special.ndtr(ends - shift), prepend=0.0, append=1.0)
        nulls = int(self.random.binomial(rows, self.nulls))
        counts = [
            self.random.multinomial(rows - (nulls if place == 1 else 0), chance)
            for place, chance in enumerate(chances)
        ]
        return _tile(self.random, rows, nulls, counts)


def world(random: np.random.Generator, rows: int) -> Truth:
    """A reference of so many rows."""
    chances = [random.dirichlet(np.full(BINS, rows / BINS)) for _ in range(CONTINUOUS)]
    equal = np.full(BINS, rows // BINS)
    equal[: rows - equal.sum()] += 1
    others = [np.array([1 - p, p]) for p in (0.3, 0.01)]
    poisson = np.exp(np.arange(12) * np.log(2.5) - 2.5 - special.gammaln(np.arange(12) + 1.0))
    others += [np.append(poisson, 1 - poisson.sum())] * COUNTS
    for i in range(TEXTS):
        weights = 1 / np.arange(1, 10 * i + 4.0)
        others.append(np.append(weights[:-1], 0.0) / weights[:-1].sum())
    others.append(np.array([0.9, 0.1, 0.0]))
    middles = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
    scores = middles**0.5 * (1 - middles) ** 6
    others.append(scores / scores.sum())
    nulls = int(random.binomial(rows, 0.02))
    counts = [equal] * CONTINUOUS + [random.multinomial(rows, chance) for chance in others]
    counts[1] = random.multinomial(rows - nulls, np.full(BINS, 1 / BINS))
    chances[1] = np.full(BINS, 1 / BINS)
    profile = Profile(SCHEMA, _tile(random, rows, nulls, counts))
    profile.numbers = random.normal(size=(min(rows, SAMPLE), NUMBERS))
    return Truth(random, [*chances, *others], 0.02, profile)


def _tile(random: np.random.Generator, rows: int, nulls: int, counts: list[np.ndarray]) -> Any:
    tile = new_tile(SCHEMA)
    tile.rows = rows
    for place, number in enumerate(tile.numbers):
        number.counts[:] = counts[place]
        number.rows, number.mean, number.m2, number.low, number.high = (
            rows,
            0.5,
            rows / 12,
            0.0,
            1.0,
        )
    tile.numbers[1].nulls = nulls
    for place, text in enumerate(tile.categories, CONTINUOUS + FLAGS + COUNTS):
        text.counts[:] = counts[place]
        text.rows = rows
    tile.predicted.rows = tile.predicted.scored = rows
    tile.predicted.labels[:] = counts[-2]
    tile.predicted.scores[1] = counts[-1]
    tile.together.rows = rows
    mean = random.normal(size=NUMBERS) / np.sqrt(rows)
    tile.together.total[:] = mean * rows
    products = _scatter(random, rows - 1) + rows * np.outer(mean, mean)
    tile.together.products[:] = products[np.triu_indices(NUMBERS)]
    return tile


def _scatter(random: np.random.Generator, freedom: int) -> np.ndarray:
    """Wishart's distribution of columns that do not go together, by Bartlett's decomposition."""
    lower = np.tril(random.normal(size=(NUMBERS, NUMBERS)), -1)
    lower[np.diag_indices(NUMBERS)] = np.sqrt(random.chisquare(freedom - np.arange(NUMBERS)))
    return lower @ lower.T
