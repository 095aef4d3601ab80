"""Trials asked for, run and told, until the budget is spent: the search of one optimization."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from modelyard.optimization.choosing import to_prove
from modelyard.optimization.goals import check_known
from modelyard.optimization.trials import task_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.optimization import Recipe
    from modelyard.optimization.beating import Beat
    from modelyard.optimization.engines.interface import Engine
    from modelyard.optimization.preparing import Prepared
    from modelyard.optimization.searching import Search
    from modelyard.optimization.trials import Trials

__all__ = ["BEGINNING", "search_on"]

BEGINNING: Final = 6
"""Trials of the first batch: with all that a search begins with, of earlier ones too."""


def search_on(
    work: Prepared,
    engine: Engine,
    beat: Beat,
    search: Search,
    trials: Trials,
    say: Callable[..., None],
    left: Callable[[], bool],
) -> None:
    """Ask, run, tell, until the budget is spent or nothing new can be asked for."""
    recipe = work.recipe
    waiting = trials.unfinished()
    heard = 0
    while not beat.cancelled():
        if work.place.is_full(work.source.size):
            likely, _ = to_prove(beat.last, work.source.digest, trials)
            trials.make_room([t.number for some in likely for t in some], work.source.folder)
        room = recipe.trials - trials.ended
        if room <= 0 or not (left() or not trials.ended):
            return
        count = _batch(recipe) if trials.all else BEGINNING
        batch = waiting[:room] or [trials.begin(params) for params in search.ask(min(count, room))]
        waiting = waiting[len(batch) :]
        if not batch:
            return
        say(beat.last, batch)
        if beat.cancelled():
            return  # folders of trials may be somebody else's by now
        tasks = [task_for(trial, work) for trial in batch]
        first = _first_beside(batch[0].number, recipe)
        for earlier in trials.all[heard:first]:
            for what, score in earlier.scores.items():
                search.heard(what, score)
        heard = first

        def tell(number: int, what: str, score: float | None) -> bool:
            reason = "" if score is None else search.gives_up(what, score)
            say(beat.last, [trials.doing(number, what, score)])
            if reason:
                trials.given_up(number, reason)
            return bool(reason)

        for result in engine.run(tasks, tell, lambda: left() or not trials.ended):
            if beat.cancelled():
                return
            before = beat.last.before
            if result.state == "done" and not before:
                before = dict(result.before)
                check_known(recipe, before)
            trial = trials.end(result, before, recipe)
            work.place.tidy(result)
            search.tell(trial.params, trial.values if trial.state == "done" else None, trial.excess)
            say(replace(beat.last, before=before), [trial])
        if trials.ended <= BEGINNING and trials.all_failed_alike:
            return  # so would all others


def _batch(recipe: Recipe) -> int:
    """Trials that are asked for before the next ones are known, after the first ones.

    It must not depend on the engine nor on how quick it is: the search is the same everywhere.
    """
    return max(2, recipe.trials // 8)


def _first_beside(number: int, recipe: Recipe) -> int:
    """The first of the trials that a trial was asked for with: they don't judge each other.

    By its number, so that a search that goes on after a kill judges as one that was not killed.
    """
    later = number - BEGINNING
    return 0 if later < 0 else number - later % _batch(recipe)
