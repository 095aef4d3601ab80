"""`optimize`: a recipe run on a version, from its first trial to what is published."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from modelyard.core.names import RefName
from modelyard.core.trust import Trust
from modelyard.errors import ModelyardError, Unavailable
from modelyard.optimization.asking import asked, check_resumed
from modelyard.optimization.baselines import learned_again
from modelyard.optimization.beating import beating
from modelyard.optimization.choosing import to_prove
from modelyard.optimization.concluding import conclude
from modelyard.optimization.engines import engine_named
from modelyard.optimization.goals import check_known
from modelyard.optimization.preparing import prepared
from modelyard.optimization.searching import Search, told_all
from modelyard.optimization.trials import Trials, task_for
from modelyard.optimization.warming import first_of_earlier
from modelyard.optimization.workplace import workplace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from modelyard.core.optimization import Optimization, Recipe, Trial
    from modelyard.core.optimizing import Optimizations
    from modelyard.core.trust import TrustAll
    from modelyard.core.version import RefInfo
    from modelyard.optimization.beating import Beat
    from modelyard.optimization.engines.interface import Engine
    from modelyard.optimization.preparing import Prepared
    from modelyard.registry.desk import Desk

__all__ = ["WorkingYard", "optimize"]

_BEGINNING = 6
"""Trials of the first batch."""


class WorkingYard(Protocol):
    """A yard, here or on a server."""

    url: str

    @property
    def desk(self) -> Desk: ...

    @property
    def optimizations(self) -> Optimizations: ...

    def alias(self, model: str, name: str, revision: str | int | None = None) -> RefInfo: ...


def optimize(
    yard: WorkingYard,
    model: str,
    revision: str | int | None = None,
    *,
    recipe: Recipe | Path | str | None = None,
    data: str | Path | None = None,
    target: str | None = None,
    budget: float | None = None,
    trials: int | None = None,
    alias: str | None = None,
    engine: str | Engine = "local",
    seed: int | None = None,
    trusted: Iterable[str] | TrustAll | None = None,
    resume: int | None = None,
    begun: Optimization | None = None,
    progress: Callable[[Optimization, Sequence[Trial]], None] | None = None,
) -> Optimization:
    """Make a version better, prove it on rows that no pass has seen, and publish it; or nothing.

    Trials run in processes of their own on this machine. An interrupted optimization goes on with
    `resume`; whatever its trials made on this machine is used again.

    Args:
        recipe: A name (`yard recipes`), a file, YAML, or a `Recipe`; `auto` if None.
        data: A file or a committed dataset; without it the rows are made up, and the new versions
            can only be compared with the old one's answers.
        target: Its column of right answers.
        budget: Seconds; the recipe's if None.
        trials: At most so many; the recipe's if None.
        alias: Pointed at the version that is chosen, if there is one.
        engine: `local`, `ray`, or an engine.
        trusted: As `Yard.load` has it; for the version's own files.
        resume: The number of an optimization that has stopped. It goes on as it began; the engine
            may be another.
        begun: As `yard.optimizations.begin` gave it: to be run, rather than a new one.
        progress: Told how far it is, and of trials that are new or have changed.

    Raises:
        InvalidInput: `wrong-recipe`, `bad-goal`, `no-pass`, `no-column`, `no-rows`, `bad-data`,
            `trials-failed`, `resumed-as-begun`, ...
        Denied: `untrusted`, as `Yard.load`; `not-allowed`.
        Conflict: `optimization-runs`, `optimization-ended`, for `resume`.
        Unsupported: `no-extra`.
    """
    told = progress or (lambda _found, _trials: None)
    trust = Trust.of(trusted)
    if begun is not None:
        found = begun
    elif resume is not None:
        settled = {"recipe": recipe, "data": data, "target": target, "budget": budget,
                   "trials": trials, "alias": alias, "seed": seed}  # fmt: skip
        check_resumed([name for name, value in settled.items() if value is not None])
        found = yard.optimizations.claim(resume)
    else:
        wanted = asked("auto" if recipe is None else recipe, data, target, budget, trials, seed)
        if alias is not None:
            RefName.parse(alias)
        name = (engine if isinstance(engine, str) else engine.name).partition("@")[0]
        found = yard.optimizations.begin(model, revision, wanted, engine=name, alias=alias)
    with ExitStack() as stack:
        beat = stack.enter_context(beating(yard, found))
        try:
            place = workplace_of(yard.url, found)
            work = prepared(yard.desk, found, place, trust)
            # after all that can be refused: an engine may have a cluster to start
            chosen = engine_named(engine)
            running = stack.enter_context(closing(chosen))
            beat.engine = running
            ended = _run(yard, work, running, beat, told)
        except ModelyardError as error:
            if isinstance(error, Unavailable):  # a server, a store: another time it may be there
                beat.say(replace(beat.last, state="stopped"))
                raise
            beat.say(replace(beat.last, state="failed", sentence=str(error), reasons=(str(error),)))
            with suppress(Unavailable):
                workplace_of(yard.url, found).clear()
            raise
        except BaseException:
            beat.say(replace(beat.last, state="stopped"))
            raise
    if ended.state == "done" or yard.optimizations.get(found.id).state == "cancelled":
        place.clear()  # else another worker has taken it over, perhaps on this machine
    return ended


def _run(
    yard: WorkingYard,
    work: Prepared,
    engine: Engine,
    beat: Beat,
    told: Callable[[Optimization, Sequence[Trial]], None],
) -> Optimization:
    begun = time.monotonic()
    found, recipe = work.found, work.recipe
    spent = found.seconds
    if work.relearns:
        work = replace(work, source=learned_again(work, engine))
    trials = Trials(work.place, yard.optimizations.trials(found.id))

    def say(now: Optimization, some: Sequence[Trial] = ()) -> None:
        now = replace(now, seconds=round(spent + time.monotonic() - begun, 1), done=trials.ended)
        beat.say(now, some)
        told(now, some)

    say(found)
    warm = first_of_earlier(yard.optimizations, found, work.plan)
    say(replace(beat.last, warm=len(warm)))
    search = Search(
        work.plan.spaces, recipe.goals, recipe.constraints, recipe.seed,
        [work.plan.barest(), *warm],
    )  # fmt: skip
    told_all(search, trials.all)

    def left() -> bool:
        return recipe.seconds is None or spent + time.monotonic() - begun < recipe.seconds

    if work.plan.steps:
        _search_on(work, engine, beat, search, trials, say, left)
        trials.check_some_ran()
    if beat.cancelled():
        return replace(beat.last, state="cancelled")

    def goes_on(now: Optimization) -> bool:
        say(now)
        beat.again()  # whoever was told may have cancelled it
        return not beat.cancelled()

    ended = conclude(yard, beat.last, work, trials, engine, goes_on)
    if beat.cancelled():
        return replace(beat.last, state="cancelled")
    marked = trials.marked(ended)
    beat.say(replace(ended, done=trials.ended), marked, surely=True)
    told(beat.last, marked)
    return beat.last


def _search_on(
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
        count = _batch(recipe) if trials.all else _BEGINNING
        batch = waiting[:room] or [trials.begin(params) for params in search.ask(min(count, room))]
        waiting = waiting[len(batch) :]
        if not batch:
            return
        tasks = [task_for(trial, work) for trial in batch]
        say(beat.last, batch)
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
        if trials.ended <= _BEGINNING and trials.all_failed_alike:
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
    later = number - _BEGINNING
    return 0 if later < 0 else number - later % _batch(recipe)
