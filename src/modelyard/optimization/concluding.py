"""The end of an optimization: the front is proved, and what passes the gate is published."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from modelyard.core.evaluation import HOLDOUT
from modelyard.core.version import human_size
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.optimization.baselines import learned_from_all, steps_of
from modelyard.optimization.choosing import failures, to_prove
from modelyard.optimization.engines.interface import Place
from modelyard.optimization.evaluating import keep_written
from modelyard.optimization.goals import base_of, is_cost, on_front, value_of
from modelyard.optimization.judging import passes_gate
from modelyard.optimization.publishing import Finished, keep_findings, publish, worth
from modelyard.optimization.recipes import written
from modelyard.optimization.trials import task_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.evaluation import Measure
    from modelyard.core.optimization import Candidate, Optimization, Trial
    from modelyard.core.version import RefInfo
    from modelyard.optimization.engines.interface import Engine, Result
    from modelyard.optimization.preparing import Prepared
    from modelyard.optimization.trials import Trials
    from modelyard.registry.desk import Desk

__all__ = ["conclude"]

_REASONS = 12
_AGAIN = (
    "the version had learned from these rows, so it was compared with itself, learned again from"
    " the same part of them"
)
_KNOWS = (
    "the version has learned from these rows, and can't forget them: what was measured on them says"
    " little about others, so it is kept with no version; name other data for a proof"
)
_BEATEN = "another candidate is better, or as good, in all goals"
_FROM_ALL = "what was published has learned from all rows, with the parameters that were proved"


class Publishing(Protocol):
    """A yard that versions can be published in."""

    @property
    def desk(self) -> Desk: ...

    def alias(self, model: str, name: str, revision: str | int | None = None) -> RefInfo: ...


def conclude(
    yard: Publishing,
    found: Optimization,
    work: Prepared,
    trials: Trials,
    engine: Engine,
    goes_on: Callable[[Optimization], bool],
) -> Optimization:
    """Prove, publish, and say what came of it.

    Args:
        goes_on: Keeps how far it is, after each version too; False once it is cancelled.
    """
    begun = time.monotonic()
    wanted, why = to_prove(found, work.source.digest, trials)
    reasons = [*work.plan.reasons, *failures(trials), *why]
    if work.relearns:
        reasons.append(_AGAIN)
    if work.knows:
        reasons.append(_KNOWS)
    candidates: list[Candidate] = []
    for some in wanted:
        if any(each.version is not None for each in candidates):
            break
        proof = _proved(found, work, trials, engine, some, len(candidates))
        if proof.state != "done":
            reasons.append(f"the proof failed: {proof.reason}")
            break
        more, refused = _published(yard, found, work, trials, proof, engine, goes_on)
        candidates += more
        reasons += refused
    if work.relearns and any(each.version is not None for each in candidates):
        reasons.append(_FROM_ALL)
    nested, why_not = _nested(found, work, trials, engine)
    reasons += why_not
    ended = replace(
        found, state="done", nested=nested, candidates=tuple(candidates),
        reasons=tuple(dict.fromkeys(reasons))[:_REASONS],
        seconds=found.seconds + round(time.monotonic() - begun, 1),
    )  # fmt: skip
    ended = replace(ended, sentence=_sentence(ended))
    if ended.published and found.alias and goes_on(replace(ended, state="running")):
        try:
            yard.alias(found.model, found.alias, ended.published[0])
        except ModelyardError as error:  # what was published stands, whoever may move its aliases
            said = f"{found.alias} was not pointed at version {ended.published[0]}: {error}"
            ended = replace(ended, reasons=(*ended.reasons, said))
    return ended


def _nested(
    found: Optimization, work: Prepared, trials: Trials, engine: Engine
) -> tuple[Measure | None, list[str]]:
    """What the search as a whole gains, if the recipe asks for it."""
    recipe = found.recipe
    if recipe.nested < 2 or not work.plan.steps or work.task == "other":
        return None, []
    number = max((trial.number for trial in trials.all), default=0) + 2
    inner = replace(recipe, data=None, target=None, nested=0, trials=max(trials.ended, 1))
    task = work.job("nested", number, work.original)
    task = replace(task, recipe=written(inner), folds=recipe.nested)
    [result] = engine.run([task], lambda _n, _w, _s: False)
    if result.nested is None:
        return None, [f"nested cross-validation failed: {result.reason}"]
    return result.nested, []


def _proved(
    found: Optimization,
    work: Prepared,
    trials: Trials,
    engine: Engine,
    wanted: Sequence[Trial],
    earlier: int,
) -> Result:
    lost = [trial for trial in wanted if trials.place(trial.number) is None]
    tasks = [task_for(trial, work) for trial in lost]
    for result in engine.run(tasks, lambda _n, _w, _s: False):
        trials.again(result)
    number = max((trial.number for trial in trials.all), default=0) + 1
    recipe = found.recipe
    trusted = Place.of(work.source).trusted  # as it is now, not when the trial ran
    places = [
        (t.number, replace(place, trusted=trusted))
        for t in wanted
        if (place := trials.place(t.number)) is not None
    ]
    task = replace(
        work.job("proof", number, work.source, timed=True), candidates=tuple(places),
        goals=tuple(map(str, recipe.goals)), constraints=tuple(map(str, recipe.constraints)),
        earlier=earlier,
    )  # fmt: skip
    [result] = engine.run([task], lambda _n, _w, _s: False)
    return result


def _published(
    yard: Publishing,
    found: Optimization,
    work: Prepared,
    trials: Trials,
    proof: Result,
    engine: Engine,
    goes_on: Callable[[Optimization], bool],
) -> tuple[list[Candidate], list[str]]:
    """All candidates, those that were published with their versions; and why others were not."""
    folder = work.place.folder / "trials" / str(proof.trial)
    by_number = {trial.number: trial for trial in trials.all}
    passed: list[Finished] = []
    candidates: dict[int, Candidate] = {}
    reasons: list[str] = []
    for candidate, described in zip(proof.candidates, proof.described, strict=True):
        trial = by_number[candidate.trial]
        told = replace(candidate, digest=trial.digest)
        fit, why = passes_gate(told)
        place = trials.place(trial.number)
        if not fit or place is None:
            reasons.append(f"trial {trial.number} was not published: {why}")
            told = replace(told, sentence=f"not published: {why}")
        else:
            passed.append(Finished(
                candidate=told, trial=trial, place=place, described=described, proof=folder
            ))  # fmt: skip
        candidates[trial.number] = told
    front = _on_front(found, passed)
    front.sort(key=lambda each: (-worth(found.recipe.goals, each.candidate), each.trial.number))
    best = [each.trial.number for each in front]
    for number in (each.trial.number for each in passed):
        why = f"the recipe publishes {found.recipe.publish}" if number in best else _BEATEN
        if number not in best[: found.recipe.publish]:
            candidates[number] = replace(candidates[number], sentence=f"not published: {why}")
    proved = not (work.relearns or work.knows)
    for each in front[: found.recipe.publish]:
        if not goes_on(replace(found, candidates=tuple(candidates.values()))):
            break
        try:
            each = _learned_from_all(each, work, engine)
            done = publish(yard.desk, found, each, work.data, proved=proved)
        except ModelyardError as error:
            reasons.append(f"trial {each.trial.number} was not published: {error}")
            continue
        said = [verdict.sentence for verdict in each.candidate.verdicts if verdict.sentence]
        candidates[each.trial.number] = replace(
            each.candidate, version=done.number,
            chosen=not any(c.chosen for c in candidates.values()),
            sentence="; ".join([*said, *filter(None, [each.candidate.sentence])]),
        )  # fmt: skip
        goes_on(replace(found, candidates=tuple(candidates.values())))
        try:
            keep_findings(yard.desk, found, each, done, work.data, proved=proved)
        except ModelyardError as error:
            reasons.append(f"what was found of version {done.number} could not be kept: {error}")
    if proved and any(c.version is not None for c in candidates.values()):
        name = work.data.name if work.data is not None else "made-up rows"
        keep_written(
            yard.desk, folder / "before", model=found.model, number=found.number,
            size=work.source.size, data=f"{name}{HOLDOUT}",
        )  # fmt: skip
    return list(candidates.values()), reasons


def _on_front(found: Optimization, passed: Sequence[Finished]) -> list[Finished]:
    """Those that no other is better than, as the proof has measured them."""
    values = [{m.name: m.value for m in each.candidate.after} for each in passed]
    return [passed[i] for i in on_front(found.recipe.goals, values)]


def _learned_from_all(finished: Finished, work: Prepared, engine: Engine) -> Finished:
    """Where the version was learned again to be compared: what it found, with all the rows."""
    if not work.relearns:
        return finished
    result = learned_from_all(work, engine, steps_of(finished.trial), finished.trial.number)
    if result.place is None:
        raise InvalidInput("not-refittable", f"it can't learn from all rows: {result.reason}")
    costs = {name: value for name, value in result.values.items() if is_cost(name)}
    broken = [
        f"{each} does not hold once it has learned from all rows"
        for each in work.found.recipe.constraints
        if is_cost(base_of(each.metric))
        and each.excess(value_of(each.metric, costs, result.before)) > 0
    ]
    if broken:
        raise InvalidInput("not-refittable", broken[0])
    size = human_size(int(costs["size"]))
    return replace(
        finished, place=result.place,
        candidate=replace(
            finished.candidate, digest=result.digest,
            sentence=f"learned from all rows it has {size}",
        ),
    )  # fmt: skip


def _sentence(ended: Optimization) -> str:
    chosen = next((each for each in ended.candidates if each.chosen), None)
    if chosen is None:
        return f"nothing better found for {ended.title}"
    goals = [v for v in chosen.verdicts[: len(ended.recipe.goals)] if v.sentence]
    first = [v.sentence for v in goals if v.holds] + [v.sentence for v in goals if not v.holds]
    others = len(ended.published) - 1
    said = f"{ended.model}@{chosen.version} from {ended.title}: {'; '.join(first)}"
    return f"{said} ({others} more on the front)" if others > 0 else said
