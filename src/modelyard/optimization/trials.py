"""The trials of one optimization: what they are to do, what became of them, where that lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.optimization import Trial
from modelyard.errors import InvalidInput
from modelyard.optimization.goals import excesses, on_front

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.core.optimization import Optimization, Recipe
    from modelyard.optimization.engines.interface import Place, Result, Task
    from modelyard.optimization.preparing import Prepared
    from modelyard.optimization.workplace import Workplace

__all__ = ["Trials", "task_for"]

Json = Any

_TIMED = ("latency_p50", "batch_latency_p50")


class Trials:
    """By number, from 0."""

    def __init__(self, place: Workplace, kept: Sequence[Trial] = ()) -> None:
        self._place = place
        self._trials = {trial.number: trial for trial in kept}
        self._results: dict[int, Result] = {}
        self._given_up: dict[int, str] = {}
        self._helpless = False
        for trial in kept:
            result = place.known(trial.number) if trial.state in ("done", "failed") else None
            if result is not None:
                self._note(result)

    @property
    def all(self) -> list[Trial]:
        """In order."""
        return [self._trials[number] for number in sorted(self._trials)]

    @property
    def done(self) -> list[Trial]:
        """Those that were measured."""
        return [trial for trial in self.all if trial.state == "done"]

    @property
    def ended(self) -> int:
        """How many are over, whatever became of them."""
        return sum(trial.state != "running" for trial in self._trials.values())

    def unfinished(self) -> list[Trial]:
        """Those that were under way when a process before this one ended."""
        return [trial for trial in self.all if trial.state == "running"]

    @property
    def all_failed_alike(self) -> bool:
        """Whether all failed, and for one reason."""
        return self._all_failed and len({trial.reason for trial in self.all}) == 1

    @property
    def _all_failed(self) -> bool:
        """Not where there are none."""
        return bool(self._trials) and all(trial.state == "failed" for trial in self.all)

    def check_some_ran(self) -> None:
        """InvalidInput: `trials-failed`: all of them, and not as their passes can't help."""
        if self._all_failed and not self._helpless:
            reasons = dict.fromkeys(trial.reason for trial in self.all)
            raise InvalidInput(
                "trials-failed", f"all trials failed: {'; '.join(list(reasons)[:3])}",
                hint="data, target and passes have to fit the model",
            )  # fmt: skip

    def begin(self, params: Mapping[str, Json]) -> Trial:
        """A new one."""
        number = max(self._trials, default=-1) + 1
        trial = self._trials[number] = Trial(number=number, params=dict(params))
        return trial

    def doing(self, number: int, what: str, score: float | None) -> Trial:
        """What one is at, told as its reason while it runs, and how good it is so far."""
        old = self._trials[number]
        scores = old.scores if score is None else {**old.scores, what: score}
        trial = self._trials[number] = replace(old, reason=what, scores=scores)
        return trial

    def given_up(self, number: int, reason: str) -> None:
        """Why its result will be that it was given up."""
        self._given_up[number] = reason

    def end(self, result: Result, before: Mapping[str, float], recipe: Recipe) -> Trial:
        """Note a result.

        Args:
            before: The source as it was measured first: latencies are told as if every trial had
                met the machine in the state that it was in then.
        """
        values = dict(result.values)
        for name in _TIMED:
            if name in values and result.before.get(name) and name in before:
                values[name] *= before[name] / result.before[name]
        old = self._trials[result.trial]
        trial = replace(
            old, state=result.state, values=values, steps=result.steps, seconds=result.seconds,
            digest=result.digest, reason=self._given_up.get(result.trial, result.reason),
            excess=_finite(excesses(recipe.constraints, values, before)) if values else {},
        )  # fmt: skip
        self._trials[result.trial] = trial
        self._place.keep(result)
        self._note(result)
        return trial

    def _note(self, result: Result) -> None:
        self._helpless = self._helpless or result.helpless
        if result.state == "done":
            self._results[result.trial] = result

    def place(self, number: int) -> Place | None:
        """Where the model of a trial lies on this machine."""
        result = self._results.get(number)
        return None if result is None else result.place

    def again(self, result: Result) -> None:
        """A trial whose model is not here was made again."""
        self._results[result.trial] = result

    def make_room(self, kept: Iterable[int], source: Path) -> None:
        """Remove what the others have made; who needs it makes it again."""
        self._results = {n: self._results[n] for n in kept if n in self._results}
        places = (each.place.folder for each in self._results.values() if each.place is not None)
        self._place.make_room([source, *map(Path, places)])

    def marked(self, ended: Optimization) -> list[Trial]:
        """All trials, those on the front marked, where that has changed."""
        done = [trial for trial in self.done if trial.holds]
        front = {done[i].number for i in on_front(ended.recipe.goals, [t.values for t in done])}
        changed = []
        for number, trial in self._trials.items():
            if trial.on_front != (number in front):
                changed.append(replace(trial, on_front=number in front))
        self._trials |= {trial.number: trial for trial in changed}
        return changed


def task_for(trial: Trial, work: Prepared) -> Task:
    """What a worker is to do for a trial."""
    task = work.job("trial", trial.number, work.source, timed=True)
    return replace(task, steps=work.plan.fixed(trial.params))


def _finite(excess: Mapping[str, float]) -> dict[str, float]:
    """JSON knows no infinity."""
    return {name: min(value, 1e300) for name, value in excess.items()}
