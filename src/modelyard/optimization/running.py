"""`optimize`: a recipe run on a version, from its first trial to what is published."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final, Protocol

from modelyard.core.names import RefName
from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput, ModelyardError, Unavailable
from modelyard.optimization.baselines import knows_rows, learned_again, manifest_data, relearns_for
from modelyard.optimization.concluding import conclude
from modelyard.optimization.engines import engine_named
from modelyard.optimization.goals import check_known, resolved
from modelyard.optimization.machine import environment
from modelyard.optimization.made_up import write_made_up_rows
from modelyard.optimization.recipes import recipe_of
from modelyard.optimization.recipes.known import with_steps
from modelyard.optimization.searching import Search, told_all
from modelyard.optimization.spaces import plan_of
from modelyard.optimization.splitting import columns_of, once, read_rows, split, task_of
from modelyard.optimization.subjects import subject_of
from modelyard.optimization.trials import Trials
from modelyard.optimization.workplace import workplace_of
from modelyard.registry.data import DataName, name_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from modelyard.core.optimization import Optimization, Recipe, Trial
    from modelyard.core.optimizing import Optimizations
    from modelyard.core.trust import TrustAll
    from modelyard.core.version import RefInfo
    from modelyard.optimization.engines.interface import Engine
    from modelyard.optimization.spaces import Plan
    from modelyard.optimization.state import Model, Rows, Task
    from modelyard.optimization.workplace import Workplace
    from modelyard.registry.desk import Desk

__all__ = ["WorkingYard", "optimize", "prepared"]

_BEAT: Final = 5.0
"""Seconds between signs of life."""
_AWAY: Final = 300.0
"""Seconds that a yard may be away before it is given up."""
_AGAIN: Final = 2.0


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
    recipe: Recipe | Path | str = "auto",
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
        recipe: A name (`yard recipes`), a file, YAML, or a `Recipe`.
        data: A file or a committed dataset; without it the rows are made up, and the new versions
            can only be compared with the old one's answers.
        target: Its column of right answers.
        budget: Seconds; the recipe's if None.
        trials: At most so many; the recipe's if None.
        alias: Pointed at the version that is chosen, if there is one.
        engine: `local`, `ray`, or an engine.
        trusted: As `Yard.load` has it; for the version's own files.
        resume: The number of an optimization that has stopped. `recipe`, `data` and so on are its
            own then, but for the engine.
        begun: As `yard.optimizations.begin` gave it: to be run, rather than a new one.
        progress: Told how far it is, and of trials that are new or have changed.

    Raises:
        InvalidInput: `wrong-recipe`, `bad-goal`, `no-pass`, `no-column`, `no-rows`, ...
        Denied: `untrusted`, as `Yard.load`; `not-allowed`.
        Conflict: `optimization-runs`, `optimization-ended`, for `resume`.
        Unsupported: `no-extra`.
    """
    told = progress or (lambda _found, _trials: None)
    trust = Trust.of(trusted)
    if begun is not None:
        found = begun
    elif resume is not None:
        found = yard.optimizations.claim(resume)
    else:
        wanted = _asked(recipe_of(recipe), data, target, budget, trials, seed)
        if alias is not None:
            RefName.parse(alias)
        name = (engine if isinstance(engine, str) else engine.name).partition("@")[0]
        found = yard.optimizations.begin(model, revision, wanted, engine=name, alias=alias)
    with ExitStack() as stack:
        beat = stack.enter_context(_beating(yard, found))
        try:
            place = workplace_of(yard.url, found)
            work = prepared(yard, found, place, trust)
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


class _Beat:
    """Signs of life from a thread, and the last that was said."""

    def __init__(self, yard: WorkingYard, last: Optimization) -> None:
        self._yard = yard
        self._lock = threading.Lock()
        self.last = last
        self.engine: Engine | None = None
        self._cancelled = False
        self._waiting: dict[int, Trial] = {}
        """Trials that could not be kept when they were said."""
        self._heard = time.monotonic()

    def cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self._cancelled

    def say(
        self, found: Optimization, trials: Sequence[Trial] = (), *, surely: bool = False
    ) -> None:
        """Keep how far it is. A server that is away for a moment is told later.

        Args:
            surely: Wait until it is kept, for minutes.

        Raises:
            Unavailable: nothing could be kept for minutes.
        """
        while not self._said(found, trials) and surely:
            time.sleep(_AGAIN)
        if self._cancelled and self.engine is not None:
            self.engine.cancel()

    def _said(self, found: Optimization, trials: Sequence[Trial]) -> bool:
        with self._lock:
            self.last = found
            self._waiting |= {trial.number: trial for trial in trials}
            try:
                goes_on = self._yard.optimizations.keep(found, tuple(self._waiting.values()))
            except Unavailable:
                if time.monotonic() - self._heard > _AWAY:
                    raise
                return False
            self._waiting.clear()
            self._heard = time.monotonic()
            self._cancelled = self._cancelled or not goes_on
            return True

    def again(self) -> None:
        """Say the last once more."""
        self.say(self.last)


@contextmanager
def _beating(yard: WorkingYard, found: Optimization) -> Iterator[_Beat]:
    beat, ended = _Beat(yard, found), threading.Event()

    def work() -> None:
        while not ended.wait(_BEAT):
            try:
                beat.again()
            except ModelyardError:
                continue  # a server may be away for a moment; who waits too long is taken for dead

    thread = threading.Thread(target=work, name="optimization-beat", daemon=True)
    thread.start()
    try:
        yield beat
    finally:
        ended.set()
        thread.join()


def _asked(
    recipe: Recipe,
    data: str | Path | None,
    target: str | None,
    budget: float | None,
    trials: int | None,
    seed: int | None,
) -> Recipe:
    """The recipe with what was said beside it."""
    if budget is not None and not 0 < budget < 1e8:
        raise InvalidInput("bad-budget", f"{budget} seconds can't be a budget", hint="--budget 10m")
    if trials is not None and not 0 < trials <= 100_000:
        raise InvalidInput("bad-budget", f"{trials} trials can't be a budget", hint="--trials 20")
    if seed is not None and not 0 <= seed < 2**32:
        raise InvalidInput("bad-seed", f"{seed} is no seed", hint="0 to 4294967295")
    said: dict[str, Any] = {
        "data": None if data is None else str(data), "target": target, "seconds": budget,
        "trials": trials, "seed": seed,
    }  # fmt: skip
    return replace(recipe, **{name: value for name, value in said.items() if value is not None})


class _Work:
    """What is known when trials begin."""

    def __init__(
        self, found: Optimization, place: Workplace, source: Model, data: DataName | None,
        path: Path, rows: Rows, task: Task, plan: Plan, relearns: bool, knows: bool,
    ) -> None:  # fmt: skip
        self.found = found
        self.place = place
        self.original = source
        self.source = source
        """What trials begin with and are compared with: the original, or itself learned again."""
        self.relearns = relearns
        self.knows = knows
        """Whether the version has learned from the rows of the proof, and can't forget them."""
        self.data = data
        self.path = path
        self.rows = rows
        self.task = task
        self.plan = plan


def prepared(yard: WorkingYard, found: Optimization, place: Workplace, trust: Trust) -> _Work:
    """Source and rows at hand, and the recipe made ready for them."""
    desk, recipe = yard.desk, found.recipe
    source = place.source(desk, found, trust)
    data: DataName | None = None
    if recipe.data is None:
        if recipe.target is not None:
            raise InvalidInput("needs-data", "a target, but no data", hint="--data FILE")
        path = place.folder / "made-up.npz"
        if not path.is_file():  # whole, or not at all
            rough = path.with_name("rough.npz")
            write_made_up_rows(source, rough, seed=recipe.seed)
            rough.rename(path)
        digest = ""
    else:
        path, digest = place.data(desk, recipe.data, found.data_digest)
        [named] = name_data(desk, recipe.data).values() if not found.data_digest else [None]
        committed = "@" in recipe.data and not FilePath(recipe.data).exists()
        data = named or DataName(recipe.data, digest, is_committed=committed)
        if data.is_committed:  # exactly these rows, whatever becomes of a branch
            recipe = replace(recipe, data=data.name)
    rows = read_rows(path, recipe.target)
    task = task_of(rows.target, _said_task(source))
    parts = split(
        rows, holdout=recipe.holdout, valid=recipe.valid, seed=recipe.seed,
        columns=columns_of(source, rows.inputs),
    )  # fmt: skip
    if min(map(len, (parts.train, parts.valid, once(parts.holdout, parts.columns)))) < 2:
        raise InvalidInput(
            "no-rows", f"{len(rows)} rows are too few to learn, to choose and to prove with",
            hint="equal rows stay together, so many equal ones count as one",
        )  # fmt: skip
    subject = subject_of(source, parts.train, task)
    if not recipe.steps:
        from modelyard.optimization.planning import auto_steps

        recipe = with_steps(recipe, auto_steps, subject)
    recipe = resolved(recipe, task)
    plan = plan_of(recipe, subject)
    known = replace(
        found, recipe=recipe, data_digest=digest, environment=environment(), state="running"
    )
    trained_on = manifest_data(desk, found)
    relearns = relearns_for(plan, source, trained_on, digest)
    knows = not relearns and knows_rows(trained_on, digest)
    return _Work(known, place, source, data, path, rows, task, plan, relearns, knows)


def _said_task(source: Model) -> str | None:
    """What the model predicts, as its class or its signature says."""
    name = source.saved.class_name
    if name.endswith(("Classifier", "Regressor")):
        return "classification" if name.endswith("Classifier") else "regression"
    outputs = {str(each.get("name")) for each in (source.signature or {}).get("outputs", ())}
    if outputs & {"label", "probability", "logits"}:
        return "classification"
    return "regression" if "prediction" in outputs else None


def _run(
    yard: WorkingYard,
    work: _Work,
    engine: Engine,
    beat: _Beat,
    told: Callable[[Optimization, Sequence[Trial]], None],
) -> Optimization:
    begun = time.monotonic()
    found, recipe = work.found, work.found.recipe
    spent = found.seconds
    if work.relearns:
        work.source = learned_again(work, engine)
    kept = yard.optimizations.trials(found.id)
    trials = Trials(work.place, kept)

    def say(now: Optimization, some: Sequence[Trial] = ()) -> None:
        now = replace(now, seconds=round(spent + time.monotonic() - begun, 1), done=trials.ended)
        beat.say(now, some)
        told(now, some)

    say(found)
    search = _search(yard, work, trials)
    say(work.found)

    def left() -> bool:
        return recipe.seconds is None or spent + time.monotonic() - begun < recipe.seconds

    if work.plan.steps:
        _search_on(work, engine, beat, search, trials, say, left)
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


def _search(yard: WorkingYard, work: _Work, trials: Trials) -> Search:
    recipe = work.found.recipe
    warm = _warm(yard, work)
    work.found = replace(work.found, warm=len(warm))
    first = [work.plan.barest(), *warm]
    search = Search(work.plan.spaces, recipe.goals, recipe.constraints, recipe.seed, first)
    told_all(search, trials.all)
    return search


def _warm(yard: WorkingYard, work: _Work) -> list[dict[str, Any]]:
    """The best parameters of earlier optimizations of this model with the same passes."""
    from modelyard.optimization.warming import first_of_earlier

    return first_of_earlier(yard.optimizations, work.found, work.plan)


def _search_on(
    work: _Work,
    engine: Engine,
    beat: _Beat,
    search: Search,
    trials: Trials,
    say: Callable[..., None],
    left: Callable[[], bool],
) -> None:
    """Ask, run, tell, until the budget is spent or nothing new can be asked for."""
    recipe = work.found.recipe
    waiting = trials.unfinished()
    while not beat.cancelled():
        room = recipe.trials - trials.ended
        if room <= 0 or not (left() or not trials.ended):
            return
        batch = waiting[:room] or [
            trials.begin(params) for params in search.ask(min(_batch(recipe, trials), room))
        ]
        waiting = waiting[len(batch) :]
        if not batch:
            return
        tasks = [trials.task(trial, work.found, work) for trial in batch]
        say(beat.last, batch)

        heard: list[tuple[str, float]] = []

        def tell(number: int, what: str, score: float | None) -> bool:
            reason = "" if score is None else search.gives_up(what, score)
            if score is not None:
                heard.append((what, score))  # noqa: B023 - it is called before the next batch
            say(beat.last, [trials.doing(number, what)])
            if reason:
                trials.given_up(number, reason)
            return bool(reason)

        for result in engine.run(tasks, tell, lambda: left() or not trials.ended):
            if beat.cancelled():
                return
            if result.state == "done" and not work.found.before:
                check_known(recipe, dict(result.before))
                work.found = replace(work.found, before=dict(result.before))
            trial = trials.end(result, work.found.before, recipe)
            work.place.tidy(result)
            search.tell(trial.params, trial.values if trial.state == "done" else None, trial.excess)
            say(replace(beat.last, before=work.found.before), [trial])
        for what, score in sorted(heard):
            search.heard(what, score)


def _batch(recipe: Recipe, trials: Trials) -> int:
    """Trials that are asked for before the next ones are known.

    It must not depend on the engine nor on how quick it is: the search is the same everywhere.
    """
    return 6 if not trials.all else max(2, recipe.trials // 8)
