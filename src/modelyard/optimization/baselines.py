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

if TYPE_CHECKING:
    from modelyard.core.optimization import Trial
    from modelyard.optimization.engines.interface import Engine, Result
    from modelyard.optimization.preparing import Prepared
    from modelyard.optimization.state import Model

__all__ = ["learned_again", "learned_from_all", "steps_of"]

_BASELINE = 1_000_000
"""Number of the task that learns again: above those of all trials."""


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
