"""Data that services see, and what people do who want to steal or to fool a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array

    Attack = Callable[["World", np.random.Generator], Iterator[Array]]

__all__ = ["ATTACKS", "WORLDS", "World"]

_REFERENCE: Final = 3_000


class World:
    """Rows of one kind, a model with two classes of them, and a reference."""

    def __init__(self, name: str, make: Callable[[np.random.Generator, int], Array]) -> None:
        self.name = name
        self.random = np.random.default_rng(5)
        self._make = make
        reference = make(self.random, _REFERENCE)
        self.wide = reference.shape[1]
        self.mean, self.std = reference.mean(axis=0), reference.std(axis=0) + 1e-12
        self.low, self.high = reference.min(axis=0), reference.max(axis=0)
        self.weights = self.random.normal(size=self.wide) / np.sqrt(self.wide) * 3
        self.reference = reference
        columns = {f"c{i}": reference[:, i] for i in range(self.wide)}
        self.profile: Profile = profile_from_rows(
            columns, self._answers(reference), task="classification", classes=[0, 1]
        )

    def some(self, count: int) -> Array:
        return self._make(self.random, count)

    def margin(self, points: Array) -> Array:
        """How far the model is from its boundary: its logit."""
        found: Array = np.clip((points - self.mean) / self.std, -9, 9) @ self.weights
        return found

    def rows(self, points: Array, clients: str | Sequence[str]) -> Rows:
        told = self._answers(points)
        names = [clients] * len(points) if isinstance(clients, str) else list(clients)
        return Rows(
            self.profile.schema, len(points), points, labels=told["label"].astype(np.int32),
            scores=told["probability"], clients=names,
        )  # fmt: skip

    def _answers(self, points: Array) -> dict[str, Array]:
        share = 1 / (1 + np.exp(-self.margin(points)))
        return {
            "label": (share > 0.5).astype(np.int64),
            "probability": np.stack([1 - share, share], 1),
        }


# -- what services see ----------------------------------------------------------------------------


def _correlated(wide: int) -> Callable[[np.random.Generator, int], Array]:
    mix = np.random.default_rng(wide).normal(size=(wide, wide)) * 0.3 + np.eye(wide)
    return lambda random, count: random.normal(size=(count, wide)) @ mix


def _clusters(random: np.random.Generator, count: int) -> Array:
    middles = np.random.default_rng(1).normal(size=(6, 12)) * 4
    found: Array = middles[random.integers(0, 6, count)] + random.normal(size=(count, 12))
    return found


def _heavy(random: np.random.Generator, count: int) -> Array:
    """Amounts, as of payments."""
    both = random.normal(size=(count, 1))
    return np.exp(random.normal(size=(count, 10)) + both)


def _mixed(random: np.random.Generator, count: int) -> Array:
    """Of a form: counts, yes and no, ages, amounts."""
    return np.column_stack([
        random.poisson(3, count), random.random(count) < 0.1, random.integers(18, 90, count),
        np.round(np.exp(random.normal(7, 1, count)), 2), random.integers(0, 5, count),
        np.round(random.normal(40, 10, count), 1),
    ]).astype(float)  # fmt: skip


def _bundled(name: str) -> Callable[[np.random.Generator, int], Array]:
    """Rows of real data, drawn again and again."""

    def make(random: np.random.Generator, count: int) -> Array:
        import sklearn.datasets

        rows = getattr(sklearn.datasets, f"load_{name}")().data.astype(float)
        found: Array = rows[random.integers(0, len(rows), count)]
        return found

    return make


WORLDS: Final[dict[str, Callable[[np.random.Generator, int], Array]]] = {
    "4 correlated": _correlated(4), "20 correlated": _correlated(20),
    "60 correlated": _correlated(60), "clusters": _clusters, "amounts": _heavy, "form": _mixed,
    "digits (real)": _bundled("digits"), "cancer (real)": _bundled("breast_cancer"),
    "wine (real)": _bundled("wine"),
}  # fmt: skip


# -- what attackers do ----------------------------------------------------------------------------


def _everywhere(world: World, random: np.random.Generator) -> Iterator[Array]:
    """Rows all over the ranges (Tramer and others, 2016)."""
    while True:
        yield random.uniform(world.low, world.high, (32, world.wide))


def _jacobian(world: World, random: np.random.Generator) -> Iterator[Array]:
    """A few seeds, and small steps from there in directions that matter (Papernot, 2017)."""
    seeds = world.some(10)
    while True:
        own = seeds[random.integers(0, len(seeds), 32)]
        signs = np.sign(random.normal(size=(32, world.wide)))
        yield own + 0.05 * world.std * signs * random.integers(1, 4, (32, 1))


def _one_at_a_time(world: World, random: np.random.Generator) -> Iterator[Array]:
    """One column is changed, to see what it does."""
    while True:
        seed, column = world.some(1), int(random.integers(0, world.wide))
        rows = np.repeat(seed, 32, axis=0)
        rows[:, column] = np.linspace(world.low[column], world.high[column], 32)
        yield rows


def _boundary(world: World, random: np.random.Generator) -> Iterator[Array]:
    """Halving the way between two classes, until the boundary is known (Brendel, 2018)."""
    while True:
        points = world.some(200)
        side = world.margin(points) > 0
        if side.all() or not side.any():
            continue
        low, high = points[side][:1], points[~side][:1]
        for _ in range(12):
            middle = (low + high) / 2
            yield np.concatenate([middle, low + (high - low) * random.random((1, 1))])
            if world.margin(middle)[0] > 0:
                low = middle
            else:
                high = middle
        yield middle + world.std * random.normal(size=(24, world.wide)) * 0.01


def _others(world: World, random: np.random.Generator) -> Iterator[Array]:
    """Rows of other data, for what the model says of them (Orekondy, 2019)."""
    mix = random.normal(size=(world.wide, world.wide))
    while True:
        yield world.mean + 3 * world.std * (random.standard_t(3, (32, world.wide)) @ mix) / np.sqrt(
            world.wide
        )


ATTACKS: Final[dict[str, tuple[Attack, frozenset[str]]]] = {
    "rows all over the ranges": (_everywhere, frozenset({"extraction", "out-of-distribution"})),
    "small steps around seeds": (_jacobian, frozenset({"extraction"})),
    "one column at a time": (_one_at_a_time, frozenset({"extraction", "out-of-distribution"})),
    "search for the boundary": (_boundary, frozenset({"extraction", "probing"})),
    "rows of other data": (_others, frozenset({"extraction", "out-of-distribution"})),
}
"""With the kinds of events that tell of it."""
