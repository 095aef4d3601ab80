"""What all tasks of an optimization share: a version, rows, and a recipe made ready for both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from modelyard.errors import InvalidInput
from modelyard.optimization.engines.interface import Place, Task
from modelyard.optimization.goals import resolved
from modelyard.optimization.kinds import said_task, scores_of, task_of
from modelyard.optimization.ladders import auto_steps
from modelyard.optimization.machine import environment
from modelyard.optimization.made_up import write_made_up_rows
from modelyard.optimization.passes import pass_named
from modelyard.optimization.passes.data.learning import FROM_SCRATCH
from modelyard.optimization.recipes.known import with_steps
from modelyard.optimization.spaces import plan_of
from modelyard.optimization.splitting import columns_of, once, read_rows, split
from modelyard.optimization.subjects import subject_of
from modelyard.registry.data import DataName, name_data
from modelyard.registry.publish import manifest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.optimization import Optimization, Recipe
    from modelyard.core.trust import Trust
    from modelyard.optimization.spaces import Plan
    from modelyard.optimization.splitting import Split
    from modelyard.optimization.state import Model
    from modelyard.optimization.state import Task as Kind
    from modelyard.optimization.workplace import Workplace
    from modelyard.registry.desk import Desk

__all__ = ["Prepared", "prepared"]

_CUTTING = ("trim", "shrink")
"""Passes of trees that choose what may go by rows: which rows those are matters as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is known when trials begin."""

    found: Optimization
    """As it begins: its recipe says what `auto` and the like have become."""
    place: Workplace
    original: Model
    """The version that is improved."""
    source: Model
    """What trials begin with and are compared with: the original, or itself learned again."""
    relearns: bool
    """Whether it is to be learned again."""
    knows: bool
    """Whether the version has learned from the rows of the proof, and can't forget them."""
    data: DataName | None
    path: Path
    """The rows: data's, or made up."""
    task: Kind
    plan: Plan

    @property
    def recipe(self) -> Recipe:
        """With nothing left open but what trials are to find."""
        return self.found.recipe

    def job(
        self,
        kind: Literal["trial", "proof", "nested"],
        number: int,
        source: Model,
        *,
        timed: bool = False,
    ) -> Task:
        """A task on these rows, with an empty folder of its own.

        Args:
            timed: Whether latency is measured, where the recipe asks for it.
        """
        recipe = self.recipe
        asked = [g.metric for g in recipe.goals] + [c.metric for c in recipe.constraints]
        return Task(
            kind=kind, trial=number, source=Place.of(source), out=str(self.place.trial(number)),
            made=str(self.place.made), data=str(self.path), target=recipe.target, task=self.task,
            seed=recipe.seed, holdout=recipe.holdout, valid=recipe.valid,
            timed=timed and any("latency" in metric for metric in asked),
        )  # fmt: skip


def prepared(desk: Desk, found: Optimization, place: Workplace, trust: Trust) -> Prepared:
    """Source and rows at hand, and the recipe made ready for them.

    Raises:
        InvalidInput: `needs-data`, `no-rows`, `no-column`, `other-data`, `bad-goal`, ...
        Denied: `untrusted`.
    """
    source = place.source(desk, found, trust)
    path, digest, data = _rows_of(desk, found, place, source)
    recipe = found.recipe
    if data is not None and data.is_committed:
        recipe = replace(recipe, data=data.name)  # exactly these, whatever becomes of a branch
    parts, task = _parted(path, recipe, source)
    subject = subject_of(source, parts.train, task)
    if not recipe.steps:
        recipe = with_steps(recipe, auto_steps, subject)
    recipe = resolved(recipe, task)
    plan = plan_of(recipe, subject)
    begun = replace(
        found, recipe=recipe, data_digest=digest, environment=environment(), state="running"
    )
    trained_on = _trained_on(desk, found)
    relearns = _relearns(plan, source, trained_on, digest)
    return Prepared(
        found=begun, place=place, original=source, source=source, relearns=relearns,
        knows=not relearns and _knows(trained_on, digest), data=data, path=path, task=task,
        plan=plan,
    )  # fmt: skip


def _rows_of(
    desk: Desk, found: Optimization, place: Workplace, source: Model
) -> tuple[Path, str, DataName | None]:
    """The file of rows, its digest, and its name; digest and name are empty for made-up rows."""
    recipe = found.recipe
    if recipe.data is None:
        if recipe.target is not None:
            raise InvalidInput("needs-data", "a target, but no data", hint="--data FILE")
        path = place.folder / "made-up.npz"
        if not path.is_file():  # whole, or not at all
            rough = path.with_name("rough.npz")
            write_made_up_rows(source, rough, seed=recipe.seed)
            rough.rename(path)
        return path, "", None
    path, digest = place.data(desk, recipe.data, found.data_digest)
    if found.data_digest:  # named before; it may not be where it was
        committed = "@" in recipe.data and not Path(recipe.data).exists()
        return path, digest, DataName(recipe.data, digest, is_committed=committed)
    [named] = name_data(desk, recipe.data).values()
    return path, digest, named


def _parted(path: Path, recipe: Recipe, source: Model) -> tuple[Split, Kind]:
    """The parts of the rows, none of them empty, and what is predicted."""
    rows = read_rows(path, recipe.target)
    parts = split(
        rows, holdout=recipe.holdout, valid=recipe.valid, seed=recipe.seed,
        columns=columns_of(source, rows.inputs),
    )  # fmt: skip
    if min(map(len, (parts.train, parts.valid, once(parts.holdout, parts.columns)))) < 2:
        raise InvalidInput(
            "no-rows", f"{len(rows)} rows are too few to learn, to choose and to prove with",
            hint="equal rows stay together, so many equal ones count as one",
        )  # fmt: skip
    task = task_of(rows.target, said_task(source), scores_of(source))
    if task == "classification" and rows.target is not None and len(set(rows.target.tolist())) < 2:
        raise InvalidInput(
            "one-class", f"all rows are of one class, {rows.target[0]!s:.60}",
            hint="a classifier learns and is judged by rows of two classes at least",
        )  # fmt: skip
    return parts, task


def _trained_on(desk: Desk, found: Optimization) -> Mapping[str, str]:
    """What a version was trained on, by role, as its manifest says."""
    contents = desk.contents(found.model, found.number)
    return manifest_of(contents.all_files).data or {}


def _relearns(plan: Plan, source: Model, trained_on: Mapping[str, str], digest: str) -> bool:
    """Whether the version is to be learned again before it is compared."""
    learn = any(
        pass_named(step.name).KIND in ("algorithm", "data") or step.name in _CUTTING
        for _, step in plan.steps
    )
    if not learn or source.saved.framework not in FROM_SCRATCH:
        return False
    if plan.recipe.baseline != "auto":
        return plan.recipe.baseline == "refit"
    return _knows(trained_on, digest)


def _knows(trained_on: Mapping[str, str], digest: str) -> bool:
    """Whether a manifest says that the version has learned from this data."""
    return bool(digest) and any(digest in told for told in trained_on.values())
