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


def test_at_first_more_is_expected_of_what_is_usual() -> None:
    space = Space({"x": Range(0.0, 1.0, 0.2, also=(0.8,)), "kind": Choice(("a", "b"))})
    rng = np.random.default_rng(0)
    surrogate = Surrogate(space, [{"x": 0.5, "kind": "a"}], np.zeros(1), rng)

    default, also, between, kind = surrogate.improvement(
        [
            {"x": 0.2, "kind": "a"},
            {"x": 0.8, "kind": "a"},
            {"x": 0.5, "kind": "b"},
            {"x": 0.2, "kind": "b"},
        ]
    )

    assert default > kind > between
    assert also > between


def test_which_algorithm_is_the_first_says_nothing_of_which_is_usual() -> None:
    names = ("0.choose.algorithm", "0.choose.a.x", "0.choose.b.x", "0.choose.c.x")
    options = [Choice(("a", "b", "c")), *(Range(0.0, 1.0, 0.5) for _ in "abc")]
    space = Space(dict(zip(names, options, strict=True)))
    known = [space.cleaned({"0.choose.algorithm": "c"})]
    surrogate = Surrogate(space, known, np.zeros(1), np.random.default_rng(0))

    one, other = surrogate.improvement(
        [space.cleaned({"0.choose.algorithm": each}) for each in "ab"]
    )

    assert one > 0
    assert np.isclose(one, other, rtol=0.5)
