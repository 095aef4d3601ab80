"""A search begins where earlier optimizations of the same model ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.optimization.goals import gain_in_all

if TYPE_CHECKING:
    from modelyard.core.optimization import Optimization, Trial
    from modelyard.core.optimizing import Optimizations
    from modelyard.optimization.spaces import Plan

__all__ = ["first_of_earlier"]

_ENDED = ("done", "stopped", "cancelled")
_LOOKED_AT = 5
_BEST = 3


def first_of_earlier(kept: Optimizations, found: Optimization, plan: Plan) -> list[dict[str, Any]]:
    """Parameters of the best trials of the model's last optimizations that met their constraints,
    told in this plan's names.

    Places may differ from recipe to recipe, so options are matched by pass and name. What ended
    after this one began does not count. Whoever goes on with trials must not look again: earlier
    ones may be cancelled or gone on with meanwhile. What was found first is among the first trials.
    """
    homes = {name.split(".", 1)[1]: name for name in plan.spaces}
    best: list[tuple[float, dict[str, Any]]] = []
    looked = 0
    for earlier in kept.list(found.model):
        if earlier.changed > found.created or earlier.state not in _ENDED:
            continue
        if not any(goal in earlier.recipe.goals for goal in found.recipe.goals):
            continue
        for trial in kept.trials(earlier.id):
            params = {homes[n]: v for n, v in _options(trial) if n in homes}
            if trial.state == "done" and trial.holds and params:
                best.append((gain_in_all(found.recipe.goals, trial.values, earlier.before), params))
        looked += 1
        if looked == _LOOKED_AT:
            break
    best.sort(key=lambda each: -each[0])
    return [params for _, params in best[:_BEST]]


def _options(trial: Trial) -> list[tuple[str, Any]]:
    return [(name.split(".", 1)[1], value) for name, value in trial.params.items() if "." in name]
