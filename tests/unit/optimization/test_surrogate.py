"""What a Gaussian process expects of points."""

from __future__ import annotations

import numpy as np

from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.space import Space
from modelyard.optimization.surrogate import Surrogate, promising

SPACE = Space({"x": Range(0.0, 1.0, 0.5), "kind": Choice(("a", "b"))})


def valley(point: dict[str, float | str]) -> float:
    """Deepest at 0.3, of kind a."""
    return (float(point["x"]) - 0.3) ** 2 + (0.5 if point["kind"] == "b" else 0.0)


def test_it_points_to_where_few_trials_let_expect_the_least() -> None:
    rng = np.random.default_rng(0)
    known = [SPACE.drawn(rng) for _ in range(10)]
    surrogate = Surrogate(SPACE, known, np.array([valley(each) for each in known]), rng)

    [first, *_] = promising(surrogate, SPACE, known[:2], rng)

    assert first["kind"] == "a"
    assert abs(first["x"] - 0.3) < 0.15


def test_the_same_chance_gives_the_same_points() -> None:
    made = []
    for _ in range(2):
        rng = np.random.default_rng(4)
        known = [SPACE.drawn(rng) for _ in range(6)]
        surrogate = Surrogate(SPACE, known, np.array([valley(each) for each in known]), rng)
        made.append(promising(surrogate, SPACE, known[:1], rng))

    assert made[0] == made[1]


def test_where_all_are_alike_nothing_breaks() -> None:
    rng = np.random.default_rng(0)
    known = [SPACE.drawn(rng) for _ in range(5)]
    surrogate = Surrogate(SPACE, known, np.ones(5), rng)

    assert np.isfinite(surrogate.improvement(known)).all()


def test_many_trials_are_learned_from_by_the_best_and_the_last() -> None:
    rng = np.random.default_rng(0)
    known = [SPACE.drawn(rng) for _ in range(400)]
    surrogate = Surrogate(SPACE, known, np.array([valley(each) for each in known]), rng)

    good, bad = surrogate.improvement([{"x": 0.3, "kind": "a"}, {"x": 0.9, "kind": "b"}])

    assert good > bad
