"""`optimize`: a recipe run on a version, from its first trial to what is published."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.core.names import RefName
from modelyard.core.trust import Trust
from modelyard.errors import ModelyardError, Unavailable
from modelyard.optimization.asking import asked, check_resumed
from modelyard.optimization.baselines import learned_again
from modelyard.optimization.beating import beating
from modelyard.optimization.concluding import conclude
from modelyard.optimization.ending import clear, fail, stop
from modelyard.optimization.engines import engine_named
from modelyard.optimization.engines.refusing import Refusing
from modelyard.optimization.preparing import prepared
from modelyard.optimization.searching import Search, told_all
from modelyard.optimization.trials import Trials
from modelyard.optimization.trying import search_on
from modelyard.optimization.warming import first_of_earlier
from modelyard.optimization.workplace import room_for, workplace_of

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
    with ExitStack() as stack:
        chosen: Engine | None = None
        if begun is not None:
            found = begun
        elif resume is not None:
            settled = {"recipe": recipe, "data": data, "target": target, "budget": budget,
                       "trials": trials, "alias": alias, "seed": seed}  # fmt: skip
            check_resumed([name for name, value in settled.items() if value is not None])
            chosen = stack.enter_context(closing(engine_named(engine)))
            found = yard.optimizations.claim(resume)
        else:
            wanted = asked("auto" if recipe is None else recipe, data, target, budget, trials, seed)
            if alias is not None:
                RefName.parse(alias)
            name = (engine if isinstance(engine, str) else engine.name).partition("@")[0]
            found = yard.optimizations.begin(model, revision, wanted, engine=name, alias=alias)
        beat = stack.enter_context(beating(yard, found))
        running: Refusing | None = None
        try:
            with room_for(yard.url, found):
                place = workplace_of(yard.url, found)
                work = prepared(yard.desk, found, place, trust)
                if chosen is None:  # after all that can be refused: it may have a cluster to start
                    chosen = stack.enter_context(closing(engine_named(engine)))
                beat.engine = running = Refusing(chosen)
                ended = _run(yard, work, running, beat, told)
        except ModelyardError as error:
            resumed = begun is None and resume is not None
            if error.kind == "untrusted":  # who has begun it for others has no more trust to give
                stays = resumed or (begun is None and beat.last.done > 0)
            else:
                stays = resumed and not (running is not None and running.asked)
            if isinstance(error, Unavailable):  # a server, a store: another time it may be there
                stop(beat)
            elif stays:
                stop(beat, error)
            else:
                fail(yard, beat, error)
            raise
        except BaseException:
            stop(beat)
            raise
    clear(yard, ended)
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
    warm: list[dict[str, Any]] = []
    if not trials.all:  # else those that it began with are among its own
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
        search_on(work, engine, beat, search, trials, say, left)
    if beat.cancelled():
        return replace(beat.last, state="cancelled")
    if work.plan.steps:
        trials.check_some_ran()

    def goes_on(now: Optimization) -> bool:
        say(now)
        beat.again()  # whoever was told may have cancelled it
        return not beat.cancelled()

    ended = conclude(yard, beat.last, work, trials, engine, goes_on)
    if beat.cancelled():
        return replace(beat.last, state="cancelled")
    marked = trials.marked(ended)
    beat.say(replace(ended, done=trials.ended), marked, surely=True)
    if beat.cancelled():
        return replace(beat.last, state="cancelled")
    told(beat.last, marked)
    return beat.last
