"""What trials may choose."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.space import Space
from modelyard.optimization.values import at_unit, contains, unit_of

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


KERNELS = {
    "0.tune.svm__C": Range(0.1, 10.0, 1.0, log=True, also=(10.0, 0.1, 3.0)),
    "0.tune.svm__gamma": Range(0.0, 1.0, 0.5, also=(0.2,), where=("kernel", ("rbf", "poly"))),
    "0.tune.svm__kernel": Choice(("rbf", "linear", "poly"), also=("rbf", "linear")),
}


def test_an_option_may_count_only_beside_some_values_of_another() -> None:
    space = Space(KERNELS)
    rng = np.random.default_rng(0)

    for found in (space.drawn(rng) for _ in range(50)):
        assert ("0.tune.svm__gamma" in found) == (found["0.tune.svm__kernel"] != "linear")
    linear = {"0.tune.svm__C": 1.0, "0.tune.svm__kernel": "linear"}
    assert space.key(linear) == space.key(linear | {"0.tune.svm__gamma": 0.9})


def test_where_the_other_option_is_not_left_open_it_counts_always() -> None:
    left = {name: each for name, each in KERNELS.items() if "kernel" not in name}

    assert "0.tune.svm__gamma" in Space(left).cleaned({})


def test_other_settings_that_are_known_to_be_good_go_together() -> None:
    space = Space(KERNELS)

    assert space.varied(space.cleaned({})) == [
        {"0.tune.svm__C": 10.0, "0.tune.svm__kernel": "rbf", "0.tune.svm__gamma": 0.2},
        {"0.tune.svm__C": 0.1, "0.tune.svm__kernel": "linear"},
        {"0.tune.svm__C": 3.0, "0.tune.svm__kernel": "rbf", "0.tune.svm__gamma": 0.5},
    ]


def test_settings_vary_within_the_algorithm() -> None:
    space = Space(
        {
            "0.choose.algorithm": Choice(("linear", "tree")),
            "0.choose.linear.C": Range(0.1, 10.0, 1.0, also=(5.0,)),
            "0.choose.tree.depth": Range(1, 9, 9, whole=True, also=(4, 2)),
        }
    )

    found = space.varied({"0.choose.algorithm": "tree", "0.choose.tree.depth": 9})

    assert found == [{"0.choose.algorithm": "tree", "0.choose.tree.depth": n} for n in (4, 2)]


def test_typical_points_are_oftener_near_to_the_default_and_reach_everywhere() -> None:
    space = Space({"x": Range(0.0, 1.0, 0.1), "kind": Choice(("a", "b", "c"))})
    rng = np.random.default_rng(0)

    found = [space.typical(rng) for _ in range(400)]

    assert np.mean([each["x"] < 0.35 for each in found]) > 0.5  # a third by chance alone
    assert max(each["x"] for each in found) > 0.9
    assert np.mean([each["kind"] == "a" for each in found]) > 0.5
    assert {each["kind"] for each in found} == {"a", "b", "c"}
