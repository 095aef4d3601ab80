"""Which parameters come next."""

from __future__ import annotations

import math
from typing import Any

import pytest

from modelyard.core.optimization import Constraint, Goal, Trial
from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.searching import Search, told_all

pytest.importorskip("optuna")

SPACES: dict[str, Choice | Range] = {
    "0.choose.algorithm": Choice(("linear", "forest")),
    "0.choose.linear.C": Range(1e-3, 1e3, 1.0, log=True),
    "0.choose.forest.depth": Range(1, 20, 6, whole=True),
    "1.prune": Choice((True, False)),
    "1.prune.sparsity": Choice((0.5, 0.7, 0.9)),
}
GOALS = [Goal("quality", "max"), Goal("size", "min")]
LIMIT = Constraint.parse("size<=800000")


def measured(params: dict[str, Any]) -> dict[str, float]:
    """Best at C=50; what is pruned is smaller, and a little worse."""
    kept = 1 - params.get("1.prune.sparsity", 0.0)
    if params["0.choose.algorithm"] == "linear":
        quality = -abs(math.log10(params["0.choose.linear.C"] / 50))
    else:
        quality = -abs(params["0.choose.forest.depth"] - 13) / 3
    return {"quality": quality - 0.2 * (1 - kept), "size": kept * 1e6}


def told(search: Search, params: dict[str, Any]) -> Trial:
    values = measured(params)
    excess = {str(LIMIT): LIMIT.excess(values["size"])}
    search.tell(params, values, excess)
    return Trial(number=0, params=params, state="done", values=values, excess=excess)


def searched(count: int, *, goals: list[Goal] = GOALS, batch: int = 1) -> list[Trial]:
    search = Search(SPACES, goals, [LIMIT], 7)
    trials: list[Trial] = []
    while len(trials) < count:
        trials += [told(search, params) for params in search.ask(batch)]
    return trials


def test_the_first_trial_is_what_the_passes_would_do_by_themselves() -> None:
    [first] = Search(SPACES, GOALS, [], 0).ask(1)

    assert first == {
        "0.choose.algorithm": "linear", "0.choose.linear.C": 1.0,
        "1.prune": True, "1.prune.sparsity": 0.5,
    }  # fmt: skip


def test_what_is_known_to_be_good_comes_next() -> None:
    good = {"0.choose.algorithm": "forest", "0.choose.forest.depth": 12, "1.prune": False}

    assert Search(SPACES, GOALS, [], 0, [good]).ask(2)[1] == good


def test_every_algorithm_is_tried_before_any_is_tuned() -> None:
    found = Search(SPACES, GOALS, [], 0).ask(3)

    assert {each["0.choose.algorithm"] for each in found} == {"linear", "forest"}
    assert {each["1.prune"] for each in found} == {True, False}


def test_what_else_is_known_to_be_good_is_tried_of_the_algorithms_that_were_the_best() -> None:
    space: dict[str, Choice | Range] = {
        "0.choose.algorithm": Choice(("a", "b", "c", "d")),
        **{f"0.choose.{each}.x": Range(0.0, 1.0, 0.5, also=(0.1, 0.2, 0.3)) for each in "abcd"},
    }
    search = Search(space, GOALS[:1], [], 0)
    asked = []
    for _ in range(9):
        [params] = search.ask(1)
        which = params["0.choose.algorithm"]
        asked.append((which, params[f"0.choose.{which}.x"]))
        search.tell(params, {"quality": {"a": 2.0, "b": 1.0, "c": 4.0, "d": 3.0}[which]}, {})

    assert [which for which, _ in asked[:4]] == ["a", "b", "c", "d"]
    assert asked[4:] == [("c", 0.1), ("c", 0.2), ("c", 0.3), ("d", 0.1), ("d", 0.2)]


def test_what_is_tried_at_first_is_typical() -> None:
    search = Search({"0.tune.x": Range(0.0, 1.0, 0.2)}, GOALS[:1], [], 0)

    found = [params["0.tune.x"] for params in search.ask(40)]

    assert sum(x < 0.6 for x in found) > 25


def test_nothing_is_asked_for_twice() -> None:
    keys = [repr(sorted(trial.params.items())) for trial in searched(60, batch=3)]

    assert len(set(keys)) == len(keys)


def test_a_small_space_ends() -> None:
    search = Search({"0.a": Choice((True, False)), "0.a.x": Choice((1, 2, 3))}, GOALS, [], 0)

    assert len(search.ask(10)) == 4
    assert search.ended
    assert search.ask(1) == []


def test_a_search_that_is_told_what_was_kept_goes_on_as_the_first_would_have() -> None:
    whole = searched(24, batch=2)
    again = Search(SPACES, GOALS, [LIMIT], 7)
    for trial in whole[:12]:
        again.tell(trial.params, trial.values, trial.excess)

    assert [dict(p) for p in again.ask(2)] == [t.params for t in whole[12:14]]


def test_kept_trials_are_told_in_their_order_and_running_ones_are_awaited() -> None:
    whole = searched(10)
    kept = [
        Trial(number=at, params=t.params, state="done" if at < 9 else "running", values=t.values,
              excess=t.excess)
        for at, t in enumerate(whole)
    ]  # fmt: skip
    one, other = (Search(SPACES, GOALS, [LIMIT], 7) for _ in range(2))
    told_all(one, kept)
    told_all(other, kept[::-1])

    assert one.ask(3) == other.ask(3)
    assert whole[9].params not in one.ask(3)


def test_it_finds_what_chance_would_hardly_find() -> None:
    search = Search(SPACES, GOALS[:1], [], 7)
    trials = [told(search, params) for _ in range(30) for params in search.ask(1)]

    best = max(trials, key=lambda t: t.values["quality"])
    assert best.params["1.prune"] is False
    assert best.values["quality"] > -0.05


def test_with_a_constraint_most_trials_learn_to_meet_it() -> None:
    late = searched(40, goals=GOALS[:1])[20:]

    assert sum(t.excess[str(LIMIT)] <= 0 for t in late) > len(late) / 2


def test_where_trials_fail_few_others_are_tried() -> None:
    search = Search(SPACES, GOALS, [], 3)
    asked = []
    for _ in range(30):
        [params] = search.ask(1)
        asked.append(params["0.choose.algorithm"])
        failed = asked[-1] == "forest"
        search.tell(params, None if failed else measured(params), {})

    assert asked[10:].count("forest") < 8


def test_it_goes_on_where_everything_failed() -> None:
    search = Search(SPACES, GOALS, [], 3)
    for _ in range(12):
        for params in search.ask(1):
            search.tell(params, None, {})

    assert len(search.ask(3)) == 3


def test_lists_and_nothing_are_values_like_others() -> None:
    space: dict[str, Choice | Range] = {
        "0.tune.layers": Choice(([100], [50, 50], None)),
        "0.tune.C": Range(0, 1, 0.5),
    }
    search = Search(space, GOALS[:1], [], 0)
    for at in range(15):
        [params] = search.ask(1)
        search.tell(params, {"quality": at * params["0.tune.C"]}, {})

    assert params["0.tune.layers"] in ([100], [50, 50], None)


def test_a_trial_that_lags_behind_is_given_up() -> None:
    search = Search(SPACES, GOALS[:1], [], 0)
    for score in (0.8, 0.9, 0.7, 0.85, 0.95):
        search.heard("epoch 1", score)

    assert search.gives_up("epoch 1", 0.5)
    assert not search.gives_up("epoch 1", 0.9)


def test_a_trial_whose_values_can_not_be_chosen_here_is_ignored() -> None:
    one, other = (Search(SPACES, GOALS, [], 0) for _ in range(2))

    one.tell({"1.prune": True, "1.prune.sparsity": 0.99}, {"quality": 9.0, "size": 1.0}, {})

    assert one.ask(6) == other.ask(6)


@pytest.mark.parametrize("odd", [math.inf, 1e300])
def test_a_constraint_that_is_not_known_of_one_holds_for_the_others(odd: float) -> None:
    """Found among trials of which only those with x below 0.2 keep it."""
    search = Search({"0.a.x": Range(0.0, 1.0, 0.5), "0.a.y": Range(0.0, 1.0, 0.5)}, [
        Goal("quality", "max")], [LIMIT], 0)  # fmt: skip
    fit = 0
    for at in range(40):
        [params] = search.ask(1)
        x = params["0.a.x"]
        search.tell(params, {"quality": x + params["0.a.y"]}, {
            str(LIMIT): odd if at == 3 else x - 0.2})  # fmt: skip
        fit += at >= 20 and x <= 0.2

    assert fit >= 10


@pytest.mark.parametrize("value", [1e308, -1e308, math.inf, math.nan])
def test_numbers_that_can_not_be_reckoned_with_count_as_failed(value: float) -> None:
    search = Search(SPACES, GOALS, [], 0)
    for at in range(12):
        [params] = search.ask(1)
        search.tell(params, measured(params) | ({"quality": value} if at % 3 else {}), {})


def test_a_number_said_in_another_way_is_not_asked_for_again() -> None:
    search = Search({"0.t.C": Range(0.1, 10.0, 1.0)}, GOALS[:1], [], 0, [{"0.t.C": 1}])

    assert search.ask(1) == [{"0.t.C": 1.0}]
    assert search.ask(1) != [{"0.t.C": 1.0}]


def test_a_narrow_range_has_many_numbers() -> None:
    search = Search({"0.t.C": Range(10_000.0, 10_010.0, 10_005.0)}, GOALS[:1], [], 0)
    for at in range(30):
        [params] = search.ask(1)
        search.tell(params, {"quality": float(at)}, {})
