"""How much a whole search gains, on rows that neither its trials nor its choice have seen.

The best of many trials looks better than it is on the rows that it was chosen by. So the rows are
parted into outer folds. In each, the whole search is done anew on the others, and what it chose is
measured on the fold, beside the model as it was, learned from the same rows (nested
cross-validation: Varma and Simon, Bias in error estimation when using cross-validation for model
selection, 2006; Cawley and Talbot, 2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.significance import student_quantile
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.optimization.goals import excesses, value_of
from modelyard.optimization.making import model_of_object
from modelyard.optimization.measuring import costs, higher_is_better, metrics, primary, quality
from modelyard.optimization.passes.data.learning import learner_of
from modelyard.optimization.passes.data.rows import folds, row_groups
from modelyard.optimization.searching import Search
from modelyard.optimization.splitting import taken
from modelyard.optimization.state import Work, pass_seed
from modelyard.optimization.stepping import run_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modelyard.optimization.spaces import Plan
    from modelyard.optimization.state import Model, Rows, Task

    Tell = Callable[[str, float | None], None]
    Searched = Callable[[Rows, int], tuple[Model, Model, float]]
    """Rows and a seed into the model as it was, what the search chose, and the gain it claims."""

__all__ = ["Nested", "nested_gain", "search_of_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """The gain of a search, higher is better, in units of `quality`."""

    gain: float
    low: float
    high: float
    """An interval that holds the true gain with a probability of 95 %."""
    before: tuple[float, ...]
    """By outer fold: the model as it was."""
    after: tuple[float, ...]
    claimed: float
    """What the trials made of it, on the rows that they were chosen by."""

    @property
    def optimism(self) -> float:
        """By how much the trials promised too much."""
        return self.claimed - self.gain

    def __str__(self) -> str:
        return (
            f"over {len(self.before)} outer folds the search gains {self.gain:+.4g} "
            f"({self.low:+.4g} to {self.high:+.4g}); its trials promised {self.claimed:+.4g}"
        )


def nested_gain(
    search: Searched, rows: Rows, *, task: Task, count: int, seed: int, tell: Tell | None = None,
    columns: Sequence[str] = (),
) -> Nested:  # fmt: skip
    """Search anew in every fold, and measure what it chose on the rows that it has not seen.

    The interval is Student's, with the variance corrected for folds that share the rows to learn
    from (Nadeau and Bengio, Inference for the generalization error, 2003). Rows that are alike are
    in one fold.

    Args:
        count: Outer folds, 2 or more.
        columns: By which rows are alike, as `splitting.columns_of` gives them.

    Raises:
        InvalidInput: `no-target`; `no-rows`: fewer rows that differ than folds.
    """
    if rows.target is None:
        raise InvalidInput("no-target", "a gain is measured by a target", hint="--target COL")
    before, after, claimed = [], [], []
    groups = row_groups(taken(rows.inputs, columns))
    parts = folds(groups, rows.target, task, count=count, seed=seed)
    for place, (inside, outside) in enumerate(parts):
        base, chosen, promised = search(rows.take(inside), pass_seed(seed, place, "nested"))
        unseen = rows.take(outside)
        before.append(quality(base, unseen, task=task))
        after.append(quality(chosen, unseen, task=task))
        claimed.append(promised)
        if tell is not None:
            tell(f"outer fold {place + 1} of {count}", None)
    if len(before) < 2:
        raise InvalidInput("no-rows", "too few rows differ from each other for outer folds")
    gains = np.subtract(after, before)
    mean, freedom = float(gains.mean()), len(gains) - 1
    spread = math.sqrt(float(gains.var(ddof=1)) * (1 / len(gains) + 1 / freedom))
    width = student_quantile(freedom) * spread
    return Nested(
        gain=mean, low=mean - width, high=mean + width, before=tuple(before), after=tuple(after),
        claimed=float(np.mean(claimed)),
    )  # fmt: skip


def search_of_plan(
    source: Model, plan: Plan, *, task: Task, trials: int, scratch: Path, tell: Tell | None = None,
    columns: Sequence[str] = (),
) -> Searched:  # fmt: skip
    """The search that a recipe describes, in this process and one trial after the other.

    The model as it was is learned again from the rows that trials learn from, with its own
    parameters. Of the trials that keep all constraints, the one with the best quality is chosen; if
    none is better, the model stays as it was. Latency is not timed here: goals and constraints that
    name it are left out.

    Args:
        scratch: An empty folder for what trials make.
        columns: By which rows are alike, as `splitting.columns_of` gives them.
    """

    def search(rows: Rows, seed: int) -> tuple[Model, Model, float]:
        room = scratch / f"{seed}"
        room.mkdir()
        train, valid = _parted(rows, plan.recipe.valid, task, seed, columns)
        base = _learned_again(source, train, room / "source", seed)
        work = Work(
            task=task, train=train, valid=valid, source=base, scratch=room, seed=seed,
            tell=lambda _what, _score: None,
        )  # fmt: skip
        before = _values(base, work)
        start = before["quality"]
        goals = [goal for goal in plan.recipe.goals if goal.metric in before]
        constraints = [
            each for each in plan.recipe.constraints
            if math.isfinite(value_of(each.metric, before, before))
        ]  # fmt: skip
        asked = Search(plan.spaces, goals, constraints, seed, [plan.barest()])
        best, score = base, start
        for number in range(trials):
            for params in asked.ask(1):
                if tell is not None:
                    tell(f"inner trial {number + 1} of {trials}", None)
                try:
                    model, values = _tried(base, plan, params, work, number)
                except ModelyardError:
                    asked.tell(params, None, {})
                    continue
                excess = excesses(constraints, values, before)
                asked.tell(params, values, excess)
                if values["quality"] > score and all(each <= 0 for each in excess.values()):
                    best, score = model, values["quality"]
        return base, best, score - start

    return search


def _tried(
    base: Model, plan: Plan, params: dict[str, object], work: Work, number: int
) -> tuple[Model, dict[str, float]]:
    """One trial: its passes in order, measured on the rows to choose by."""
    room = work.scratch / f"trial{number}"
    room.mkdir()
    model, seed = base, work.seed
    for place, step in enumerate(plan.fixed(params)):
        scratch = room / f"{place}"
        scratch.mkdir()
        mine = replace(work, scratch=scratch, seed=pass_seed(seed, step.place, step.name))
        model, _, rows = run_pass(step.name, model, step.params, mine)
        if rows is not None:
            work = work.with_rows(rows)
    return model, _values(model, work)


def _values(model: Model, work: Work) -> dict[str, float]:
    """Metrics on the rows to choose by, and costs that are counted."""
    assert work.valid is not None
    values = costs(model) | metrics(model, work.valid, task=work.task, source=work.source)
    best = values[primary(work.task)]
    values["quality"] = best if higher_is_better(primary(work.task)) else -best
    return values


def _parted(
    rows: Rows, share: float, task: Task, seed: int, columns: Sequence[str]
) -> tuple[Rows, Rows]:
    """Rows to learn from, and rows to choose by."""
    count = max(2, round(1 / share)) if share > 0 else 5
    groups = row_groups(taken(rows.inputs, columns))
    inside, outside = next(folds(groups, rows.target, task, count=count, seed=seed))
    return rows.take(inside), rows.take(outside)


def _learned_again(source: Model, rows: Rows, folder: Path, seed: int) -> Model:
    """Unsupported `not-improvable`: it goes on from what it knows of all the rows."""
    learner = learner_of(source)
    if not learner.begins_anew:
        raise InvalidInput(
            "not-refittable", "a model that goes on from its weights has seen all the rows already",
            hint="nested is for models of scikit-learn, XGBoost and LightGBM",
        )  # fmt: skip
    folder.mkdir()
    found = learner.fit(learner.obj, rows, seed % 2**31)
    example = learner.inputs(rows.inputs)
    return model_of_object(found, folder, like=source, example=example)
