"""What trials may choose."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.space import Space, at_unit, contains, unit_of

SPACE = Space(
    {
        "1.prune.sparsity": Choice((0.5, 0.9)),
        "0.choose.forest.depth": Range(1, 20, 6, whole=True),
        "0.choose.linear.C": Range(1e-3, 1e3, 1.0, log=True),
        "0.choose.algorithm": Choice(("linear", "forest")),
        "1.prune": Choice((True, False)),
    }
)


def test_an_option_follows_those_that_it_depends_on() -> None:
    order = list(SPACE.options)

    assert order.index("0.choose.algorithm") < order.index("0.choose.linear.C")
    assert order.index("1.prune") < order.index("1.prune.sparsity")


def test_what_does_not_count_is_left_out() -> None:
    given = {"0.choose.algorithm": "forest", "0.choose.linear.C": 3.0, "1.prune": False}

    assert SPACE.cleaned(given) == {
        "0.choose.algorithm": "forest", "0.choose.forest.depth": 6, "1.prune": False,
    }  # fmt: skip


def test_parameters_that_differ_in_what_does_not_count_are_the_same() -> None:
    one = {"0.choose.algorithm": "linear", "0.choose.forest.depth": 3, "1.prune": False}
    other = one | {"0.choose.forest.depth": 9, "1.prune.sparsity": 0.9}

    assert SPACE.key(one) == SPACE.key(other)


def test_a_value_that_can_not_be_gives_way_to_the_first() -> None:
    found = SPACE.cleaned({"0.choose.linear.C": 1e9, "1.prune.sparsity": 0.7})

    assert (found["0.choose.linear.C"], found["1.prune.sparsity"]) == (1.0, 0.5)


def test_the_portfolio_tries_each_algorithm_and_each_pass_left_out() -> None:
    found = list(SPACE.portfolio())

    assert found[0] == SPACE.cleaned({})
    assert [(each["0.choose.algorithm"], each["1.prune"]) for each in found] == [
        ("linear", True), ("linear", False), ("forest", True),
    ]  # fmt: skip


def test_a_small_space_has_an_end() -> None:
    small = Space({"0.a": Choice((True, False)), "0.a.x": Choice((1, 2, 3))})

    assert small.everything(100) == [
        {"0.a": True, "0.a.x": 1}, {"0.a": True, "0.a.x": 2}, {"0.a": True, "0.a.x": 3},
        {"0.a": False},
    ]  # fmt: skip
    assert small.everything(3) is None
    assert SPACE.everything(10_000) is None


def test_true_is_not_one() -> None:
    assert not contains(Choice((1, 2)), True)
    assert not contains(Range(0, 2, 1), True)


@given(st.floats(0, 1))
def test_a_place_between_0_and_1_gives_a_value_of_the_option(unit: float) -> None:
    for option in SPACE.options.values():
        value = at_unit(option, unit)

        assert contains(option, value)
        assert contains(option, at_unit(option, unit_of(option, value)))


@given(st.integers(0, 2**32 - 1))
def test_what_is_near_is_something_else_in_the_space(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = SPACE.drawn(rng)

    found = SPACE.near(start, rng)

    assert found == SPACE.cleaned(found)
    assert found != start
