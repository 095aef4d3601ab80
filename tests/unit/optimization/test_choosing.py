"""Which trials are put to the proof, and what is said of the others."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from modelyard.core.optimization import Constraint, Goal, Optimization, PassDone, Recipe, Trial
from modelyard.optimization.choosing import to_prove

_NOW = datetime(2026, 11, 23, tzinfo=UTC)
_GOALS = (Goal("accuracy", "max"), Goal("size", "min"), Goal("latency_p50", "min"))
_BEFORE = {"accuracy": 0.9, "size": 1000.0, "latency_p50": 1.0}


class _Trials:
    """As `Trials` tells them."""

    def __init__(self, *trials: Trial) -> None:
        self.all = self.done = list(trials)


def _run(*constraints: str) -> Optimization:
    recipe = Recipe(name="own", steps=(), goals=_GOALS,
                    constraints=tuple(map(Constraint.parse, constraints)))  # fmt: skip
    return Optimization(
        id=1, model="m", number=1, recipe=recipe, state="running", who="ann", created=_NOW,
        changed=_NOW, before=_BEFORE,
    )  # fmt: skip


def _trial(number: int, **values: float) -> Trial:
    return Trial(
        number=number, state="done", values=_BEFORE | values, digest=str(number),
        steps=(PassDone(name="quantize"),),
    )  # fmt: skip


def _chosen(found: Optimization, *trials: Trial) -> tuple[list[int], list[str]]:
    likely: Any = to_prove(found, "source", _Trials(*trials))  # type: ignore[arg-type]
    return [each.number for each in (likely[0][0] if likely[0] else [])], likely[1]


def test_what_is_smaller_but_slower_is_not_proved_and_the_price_is_told() -> None:
    chosen, why = _chosen(_run(), _trial(0, size=250.0, latency_p50=1.5))
    assert chosen == []
    [said] = why
    assert said.startswith("what is better in one goal is worse in another: trial 0 has ")
    assert "size from 1000 to 250, latency_p50 from 1 to 1.5" in said


def test_what_is_smaller_and_as_quick_is_proved_beside_it() -> None:
    slower, fair = _trial(0, size=250.0, latency_p50=1.5), _trial(1, size=400.0, latency_p50=1.05)
    assert _chosen(_run(), slower, fair)[0] == [1]


def test_a_constraint_says_how_much_slower_it_may_be() -> None:
    assert _chosen(_run("latency_p50<=2"), _trial(0, size=250.0, latency_p50=1.5))[0] == [0]


def test_where_speed_is_no_goal_it_does_not_matter() -> None:
    found = _run()
    found = replace(found, recipe=replace(found.recipe, goals=_GOALS[:2]))
    assert _chosen(found, _trial(0, size=250.0, latency_p50=1.5))[0] == [0]


def test_what_is_next_comes_from_the_fronts_behind_the_first() -> None:
    found = _run()
    found = replace(found, recipe=replace(found.recipe, goals=_GOALS[:2], publish=1))
    rows = [(0.92, 500.0), (0.95, 700.0), (0.91, 600.0), (0.94, 800.0), (0.901, 900.0)]
    trials = [_trial(n, accuracy=a, size=s) for n, (a, s) in enumerate(rows)]
    likely: Any = to_prove(found, "source", _Trials(*trials))[0]  # type: ignore[arg-type]
    assert [[each.number for each in some] for some in likely] == [[1, 0], [3, 2, 4]]


def test_of_very_many_trials_few_are_chosen_soon() -> None:
    found = _run()
    found = replace(found, recipe=replace(found.recipe, goals=_GOALS[:2]))
    trials = [_trial(n, accuracy=0.9 + n / 1e5, size=500.0 + n + n % 7 * 10) for n in range(4000)]
    began = time.process_time()
    likely: Any = to_prove(found, "source", _Trials(*trials))[0]  # type: ignore[arg-type]
    assert time.process_time() - began < 10, "it took minutes to rank them all"
    assert [len(some) for some in likely] == [found.recipe.publish + 2] * 2
