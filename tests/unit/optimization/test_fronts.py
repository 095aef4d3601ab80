"""What no other beats: as comparing each with all others says, and quick where there are many."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.optimization import Goal
from modelyard.optimization.fronts import Costs, unbeaten
from modelyard.optimization.goals import dominates, on_front

_GOALS = (
    Goal("accuracy", "max"), Goal("size", "min"), Goal("rmse", "min"), Goal("latency_p50", "min"),
)  # fmt: skip
_VALUES = st.sampled_from([0.0, -1.0, 0.5, 1.0, 2.0, 3.0, 1e-13, 1e-14, math.nan, math.inf])


@given(st.integers(1, 4).flatmap(
    lambda goals: st.lists(st.tuples(*[st.integers(0, 4).map(float)] * goals), max_size=20)
))  # fmt: skip
def test_what_is_not_beaten_is_as_comparing_with_all_says(costs: list[Costs]) -> None:
    def beaten(own: Costs) -> bool:
        return any(o != own and all(a <= b for a, b in zip(o, own, strict=True)) for o in costs)

    assert unbeaten(costs) == [not beaten(own) for own in costs]


@given(st.integers(1, 4).flatmap(lambda count: st.tuples(
    st.permutations(_GOALS).map(lambda goals: goals[:count]),
    st.lists(st.dictionaries(st.sampled_from([g.metric for g in _GOALS]), _VALUES), max_size=12),
)))  # fmt: skip
def test_the_front_is_what_nothing_dominates_and_of_several_alike_the_first(
    given: tuple[list[Goal], list[dict[str, float]]],
) -> None:
    goals, found = given
    front: list[int] = []
    for i, each in enumerate(found):
        twins = (found[j] for j in front)
        alike = any(all(t.get(g.metric) == each.get(g.metric) for g in goals) for t in twins)
        if not alike and not any(dominates(goals, other, each) for other in found):
            front.append(i)
    assert on_front(goals, found) == front


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_front_of_very_many_is_found_soon(count: int) -> None:
    goals = _GOALS[:count]
    found = [dict.fromkeys([goal.metric for goal in goals], 1.0 + n) for n in range(5000)]
    began = time.process_time()
    assert len(on_front(goals, found)) == 5000
    assert time.process_time() - began < 5
