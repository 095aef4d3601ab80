"""One pass run on one model, and what is to be said of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.optimization import PassDone
from modelyard.errors import InvalidInput
from modelyard.optimization.measuring import answers, facts_of
from modelyard.optimization.passes import pass_named
from modelyard.optimization.space import Space
from modelyard.optimization.subjects import subject_of
from modelyard.optimization.values import first_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.optimization.passes import Made, Option
    from modelyard.optimization.state import Model, Rows, Work

__all__ = ["run_pass"]

Json = Any


def run_pass(
    name: str, model: Model, params: Mapping[str, Json], work: Work
) -> tuple[Model, PassDone, Rows | None]:
    """The model after a pass; the same if the pass could not help, or did not.

    Args:
        params: Options that are not named are the first that the pass would try.

    Returns:
        The model, what was done, and other rows to learn from, if there are.
    """
    begun = time.perf_counter()
    chosen = pass_named(name)
    subject = subject_of(model, work.train, work.task)
    why = chosen.why_not(subject)
    if why is not None:
        return model, PassDone(name=name, params=dict(params), kept=False, why=why), None
    filled = _filled(chosen.options(subject), params)
    made = chosen.run(model, filled, work)
    done = PassDone(
        name=name, params={**filled, **made.params}, why=made.why, notes=tuple(made.notes)
    )
    if made.model is None:
        return model, replace(done, kept=False, seconds=_since(begun)), None
    if chosen.KIND == "data" and work.judges:
        done = _judged(done, model, made, work)
    changed = made.changed
    if done.kept and not changed:
        from modelyard.optimization.effects import changes_between

        changed = changes_between(model, made.model)
    done = replace(done, changed=tuple(changed)[:200], seconds=_since(begun))
    return (made.model, done, made.rows) if done.kept else (model, done, None)


def _filled(options: Mapping[str, Option], params: Mapping[str, Json]) -> dict[str, Json]:
    """With the first of each option that is not given, as far as it counts beside the others."""
    head = "0.pass."  # names have three parts in a space
    space = Space({head + name: option for name, option in options.items()})
    found = {head + name: value for name, value in params.items()}
    for name, option in space.options.items():
        if name not in found and space.is_active(name, found):
            found[name] = first_of(option)
    return {name.removeprefix(head): value for name, value in found.items()}


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)


def _judged(done: PassDone, model: Model, made: Made, work: Work) -> PassDone:
    """A data pass is kept if rows that it did not learn from are predicted better with it."""
    assert made.model is not None
    if made.scores is not None:
        without, with_it = made.scores
    elif work.valid is not None and work.valid.target is not None:
        without, with_it = (_by_row(each, work) for each in (model, made.model))
    else:
        raise InvalidInput("no-target", "what a data pass does can't be judged without a target",
                           hint="--target COL")  # fmt: skip
    kept, why = _helped(without, with_it)
    return replace(
        done, kept=kept, why=done.why or why,
        before={"score": float(np.mean(without))}, after={"score": float(np.mean(with_it))},
    )  # fmt: skip


def _by_row(model: Model, work: Work) -> Sequence[float]:
    """How right it is about each row, higher is better."""
    assert work.valid is not None
    facts = facts_of(answers(model, work.valid.inputs), work.valid, work.task, None, 0)
    outcomes = facts.outcomes()
    if "error" in outcomes:
        return [-(float(error) ** 2) for error in outcomes["error"]]
    return [float(hit) for hit in outcomes["truth"] == outcomes["label"]]


def _helped(without: Sequence[float], with_it: Sequence[float]) -> tuple[bool, str]:
    """Better on average, by more than its standard error: less is likely to be chance."""
    gains = np.asarray(with_it, float) - np.asarray(without, float)
    mean = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else 0.0
    if not gains.any():
        return False, "it changes nothing"
    if mean <= 0:
        return False, "it does not help"
    if mean <= error:
        return False, "what it gains may be chance"
    return True, "it helps"
