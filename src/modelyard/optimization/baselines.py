"""What passes that learn anew are compared with, so that the comparison is fair.

A version that has learned from the rows of the proof knows them by heart, and would beat whatever
has not seen them. So it is learned again from the same part of the rows, and what is proved is then
that the new parameters, or the new data, are better than the old ones on equal terms.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput
from modelyard.optimization.engines.interface import Fixed
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.data.learning import FROM_SCRATCH
from modelyard.registry.publish import manifest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.optimization import Optimization, Trial
    from modelyard.optimization.engines.interface import Engine, Result
    from modelyard.optimization.preparing import Prepared
    from modelyard.optimization.spaces import Plan
    from modelyard.optimization.state import Model
    from modelyard.registry.desk import Desk

__all__ = [
    "knows_rows",
    "learned_again",
    "learned_from_all",
    "manifest_data",
    "relearns_for",
    "steps_of",
]

_CUTTING = ("trim", "shrink")
"""Passes of trees that choose what may go by rows: which rows those are matters as much."""
_BASELINE = 1_000_000
"""Number of the task that learns again: above those of all trials."""


def manifest_data(desk: Desk, found: Optimization) -> Mapping[str, str]:
    """What a version was trained on, by role, as its manifest says."""
    contents = desk.contents(found.model, found.number)
    return manifest_of(contents.all_files).data or {}


def relearns_for(plan: Plan, source: Model, trained_on: Mapping[str, str], digest: str) -> bool:
    """Whether the version is to be learned again before it is compared."""
    learn = any(
        pass_named(step.name).KIND in ("algorithm", "data") or step.name in _CUTTING
        for _, step in plan.steps
    )
    if not learn or source.saved.framework not in FROM_SCRATCH:
        return False
    if plan.recipe.baseline != "auto":
        return plan.recipe.baseline == "refit"
    return knows_rows(trained_on, digest)


def knows_rows(trained_on: Mapping[str, str], digest: str) -> bool:
    """Whether a manifest says that the version has learned from this data."""
    return bool(digest) and any(digest in told for told in trained_on.values())


def steps_of(trial: Trial) -> tuple[Fixed, ...]:
    """The passes of a trial that were kept, with all that they chose: nothing is searched again."""
    counts: dict[str, int] = {}
    found = []
    for step in trial.steps:
        earlier = counts[step.name] = counts.get(step.name, -1) + 1
        if step.kept:
            found.append(Fixed(place=earlier, name=step.name, params=step.params))
    return tuple(found)


def learned_again(work: Prepared, engine: Engine) -> Model:
    """The version learned from the part of the rows that passes learn from.

    InvalidInput: `not-refittable`.
    """
    result = _run(work, engine, _BASELINE, (Fixed(place=0, name="refit"),), whole=False)
    if result.place is None:
        raise InvalidInput(
            "not-refittable", f"it can't learn again from this data: {result.reason}",
            hint="baseline: as-is in the recipe compares it as it is",
        )  # fmt: skip
    return result.place.model()


def learned_from_all(
    work: Prepared, engine: Engine, steps: tuple[Fixed, ...], number: int, *, whole: bool = True
) -> Result:
    """What was proved, learned again from all rows: that is what is published.

    Args:
        whole: False makes it again as it was proved.
    """
    return _run(work, engine, _BASELINE + 1 + number, steps, whole=whole)


def _run(
    work: Prepared, engine: Engine, number: int, steps: tuple[Fixed, ...], *, whole: bool
) -> Result:
    task = work.job("trial", number, work.original)
    task = replace(task, steps=steps, whole=whole)
    [result] = engine.run([task], lambda _n, _w, _s: False)
    return result
