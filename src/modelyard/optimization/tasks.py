"""What a worker does: a trial, a proof, or a whole search in outer folds."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.core.evaluation import Measure
from modelyard.errors import Denied, ModelyardError, Unsupported
from modelyard.optimization.engines.interface import Result
from modelyard.optimization.nested import nested_gain, search_of_plan
from modelyard.optimization.proving import prove
from modelyard.optimization.recipes import read_recipe
from modelyard.optimization.spaces import plan_of
from modelyard.optimization.splitting import columns_of, read_rows
from modelyard.optimization.subjects import subject_of
from modelyard.optimization.trialing import run_trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.engines.interface import Task

__all__ = ["run_task"]


def run_task(task: Task, tell: Callable[[str, float | None], None]) -> Result:
    """Run a task in this process; whatever fails becomes a result that says why.

    Args:
        tell: Called with what is being done and, where it is known, how good it is so far.
    """
    begun = time.perf_counter()
    try:
        if task.kind == "proof":
            found = prove(task, tell)
        elif task.kind == "nested":
            found = _nested(task, tell)
        else:
            found = run_trial(task, tell)
    except ModelyardError as error:
        refused = _refused(task) if isinstance(error, Denied) else None
        found = refused or Result(
            trial=task.trial, state="failed", reason=str(error)[:500],
            helpless=isinstance(error, Unsupported),
        )  # fmt: skip
    except MemoryError:
        found = Result(trial=task.trial, state="failed", reason="it took more memory than it may")
    except Exception as error:  # libraries raise whatever they like
        said = f"{type(error).__name__}: {error}"
        found = Result(trial=task.trial, state="failed", reason=said.splitlines()[0][:500])
    return replace(found, seconds=round(time.perf_counter() - begun, 3))


def _refused(task: Task) -> Result | None:
    """That the version itself may not be loaded, and why; None if it may.

    What a pass has made of it may want more trust than was given: that says nothing of others.
    """
    try:
        task.source.model().load()
    except Denied as error:
        if error.kind == "untrusted":
            return Result(
                trial=task.trial, state="failed", reason=str(error), untrusted=True,
                hint=error.hint or "",
            )  # fmt: skip
    except Exception:
        return None
    return None


def _nested(task: Task, tell: Callable[[str, float | None], None]) -> Result:
    """The whole search anew in each outer fold, of all rows: each measures what it has not seen."""
    source, recipe = task.source.model(), read_recipe(task.recipe)
    rows = read_rows(Path(task.data or ""), task.target)
    plan = plan_of(recipe, subject_of(source, rows, task.task))
    columns = columns_of(source, rows.inputs, may_load=True)
    search = search_of_plan(
        source, plan, task=task.task, trials=recipe.trials, scratch=Path(task.out), tell=tell,
        columns=columns,
    )  # fmt: skip
    found = nested_gain(
        search, rows, task=task.task, count=task.folds, seed=task.seed, tell=tell, columns=columns
    )
    return Result(
        trial=task.trial, state="done", nested=Measure("gain", found.gain, found.low, found.high)
    )
