"""The proof: candidates and the version they came from, on rows that no pass has seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.metrics import Resampler
from modelyard.core.metrics.interface import measures_of
from modelyard.core.optimization import Constraint, Goal
from modelyard.errors import ModelyardError
from modelyard.optimization.engines.interface import Result
from modelyard.optimization.evaluating import write_evaluation
from modelyard.optimization.judging import Proved, corrected, judged, passes_gate
from modelyard.optimization.making import described
from modelyard.optimization.measuring import answers, costs, facts_of, latencies
from modelyard.optimization.splitting import once
from modelyard.optimization.trialing import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.optimization import Candidate
    from modelyard.optimization.engines.interface import Task
    from modelyard.optimization.measuring import Answers, Timing
    from modelyard.optimization.splitting import Split
    from modelyard.optimization.state import Model, Rows

__all__ = ["prove"]

_TIMED_ROWS: Final = 2000


def prove(task: Task, tell: Callable[[str, float | None], None]) -> Result:
    """Candidates of a task, each with its verdicts.

    Of equal rows the first alone counts: what a model says of a copy is known already, so copies
    would make chance look like a gain.
    """
    parts = parts_of(task)
    rows = None if parts is None else once(parts.holdout, parts.columns)
    models = [task.source.model(), *(place.model() for _, place in task.candidates)]
    goals = [Goal.parse(text) for text in task.goals]
    constraints = [Constraint.parse(text) for text in task.constraints]
    tell("prove", None)
    source, *others = _measured(models, rows, task, parts)
    found = [
        judged(trial, source, other, goals, constraints, task.seed)
        for (trial, _), other in zip(task.candidates, others, strict=True)
    ]
    candidates = corrected(found, task.earlier)
    _write_down([source, *others], [0, *(trial for trial, _ in task.candidates)], rows, task)
    return Result(
        trial=task.trial, state="done", candidates=tuple(candidates), before=source.values,
        described=tuple(
            _described(candidate, models[0], model, rows, task.seed)
            for candidate, model in zip(candidates, models[1:], strict=True)
        ),
    )  # fmt: skip


def _described(
    candidate: Candidate, source: Model, model: Model, rows: Rows | None, seed: int
) -> dict[str, Any]:
    """What is published with a candidate: also which inputs mattered, before and after."""
    found = described(model)
    if rows is not None and rows.target is not None and passes_gate(candidate)[0]:
        from modelyard.optimization.importances import importance_before_after

        importance = importance_before_after(source, model, rows, seed=seed)
        if importance is not None:
            found["importance"] = importance
    return found


# -- measuring -------------------------------------------------------------------------------------


def _measured(
    models: Sequence[Model], rows: Rows | None, task: Task, parts: Split | None
) -> list[Proved]:
    """The source, which must answer, and candidates: one that can't is no hindrance to others."""
    source, *others = models
    first = None if rows is None else answers(source, rows.inputs)
    found = [_facts(source, first, first, rows, task)]
    for model in others:
        try:
            said = None if rows is None else answers(model, rows.inputs)
            found.append(_facts(model, said, first, rows, task))
        except ModelyardError as error:
            found.append(Proved(None, (), costs(model), None, refused=error.message))
    if not task.timed or parts is None:
        return found
    # with the copies: a batch wants many rows, and it takes them all the same
    asked = parts.holdout.inputs.take(slice(0, _TIMED_ROWS))
    able = [place for place, each in enumerate(found) if not each.refused]
    timings = latencies([models[place] for place in able], asked, seconds=1.5 * len(able))
    for place, timing in zip(able, timings, strict=True):
        found[place] = replace(found[place], timing=timing, costs=_costs(models[place], timing))
    return found


def _facts(
    model: Model, said: Answers | None, first: Answers | None, rows: Rows | None, task: Task
) -> Proved:
    if rows is None or said is None:
        return Proved(None, (), costs(model), None)
    facts = facts_of(said, rows, task.task, first, task.seed)
    return Proved(facts, measures_of(facts, Resampler(task.seed)), costs(model), None)


def _costs(model: Model, timing: Timing) -> dict[str, float]:
    return {**costs(model), "latency_p50": timing.p50, "batch_latency_p50": timing.batch_p50}


def _write_down(
    proved: Sequence[Proved], trials: Sequence[int], rows: Rows | None, task: Task
) -> None:
    """Evaluations of the source (`before`) and of each candidate, for whoever publishes them."""
    if rows is None or rows.target is None:
        return
    for place, (each, trial) in enumerate(zip(proved, trials, strict=True)):
        name = f"trial-{trial}" if place else "before"
        write_evaluation(Path(task.out) / name, each.facts, each.measures, each.timing, rows, task)
