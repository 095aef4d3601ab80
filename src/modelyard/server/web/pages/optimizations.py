"""What was tried to make models better: a list, one of them with its trials, and its news."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final

from fastapi import Path, Query
from starlette.responses import Response

from modelyard.core.optimization import Optimization, Trial
from modelyard.core.version import RefInfo
from modelyard.errors import ModelyardError
from modelyard.optimization.recipes.reading import written
from modelyard.registry import refs
from modelyard.registry.access import known_name
from modelyard.registry.optimizations.hiding import hidden_data
from modelyard.registry.pages import reports_page
from modelyard.server.auth import again
from modelyard.server.routing import SIGNED_IN, on_yard
from modelyard.server.shared import Slot, sight_of
from modelyard.server.sse import Event, event_stream
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.courses import Courses, courses_of
from modelyard.server.web.fronts import Field, field_of, on_front
from modelyard.server.web.here import language_of
from modelyard.server.web.mattering import Mattering, mattering_of
from modelyard.server.web.optimized import (
    Fact,
    Lines,
    TrialLine,
    chosen_trial,
    facts_of,
    lines_of,
    parallel_of,
    short_names,
)
from modelyard.server.web.twins import Pages, problem_page

__all__ = ["acts", "pages"]

pages = Pages("optimizations")
acts = Acts("optimizations")

_ROWS, _TRIALS, _ALIASES, _CHANGED, _PUBLISHED = 50, 100, 200, 100, 5
_EVERY: Final = 1.0
_LARGEST: Final = (1 << 53) - 1

Id = Annotated[int, Path(ge=1, le=_LARGEST)]
Metric = Annotated[str, Query(max_length=80)]


@dataclass(frozen=True, slots=True)
class OptimizationsPage:
    """Optimizations of models that the caller may read."""

    items: tuple[Optimization, ...]
    """Newest first."""
    next: int | None
    """Where the next page goes on."""
    model: str
    """Only those of this model; empty: all."""

    @property
    def is_live(self) -> bool:
        """Whether one of them goes on."""
        return any(one.state == "running" for one in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizationPage:
    """One optimization."""

    optimization: Optimization
    recipe: str
    """As YAML."""
    facts: tuple[Fact, ...]
    """How far each goal came."""
    field: Field | None
    """One goal against another; None before a trial has ended."""
    parallel: Lines | None
    """Trials over their parameters and goals; None where nothing differs."""
    courses: Courses | None
    """Scores of trials on their way; None where none told any."""
    trials: tuple[TrialLine, ...]
    """A page of them."""
    after: int
    """How many trials stand on pages before this one."""
    all_trials: int
    failed: int
    """Trials that failed."""
    pruned: int
    """Trials that were given up, because others were better at the same place."""
    shown: Trial | None
    """Whose passes are told of."""
    names: dict[str, str]
    """Short names of parameters."""
    most_changed: int
    """Layers of a pass that are told of at most."""
    aliases: tuple[RefInfo, ...]
    """Of the model, for who may move them."""
    mattering: Mapping[int, Mattering]
    """By published version: which inputs matter, before and after."""
    needs_trust: bool
    """Whether nobody can go on with it who does not say what its files may import."""

    @property
    def is_live(self) -> bool:
        """Whether it goes on."""
        return self.optimization.state == "running"

    @property
    def has_begun(self) -> bool:
        """Whether somebody has worked on it; else it waits for its turn."""
        one = self.optimization
        return bool(one.done or one.seconds or one.environment or self.all_trials)


@pages.page("/optimizations", "optimizations.html", needs=on_yard("none"))
def list_optimizations(
    ask: Ask,
    *,
    model: Annotated[str, Query(max_length=400)] = "",
    before: Annotated[int, Query(ge=1, le=_LARGEST)] = _LARGEST,
) -> OptimizationsPage:
    """All that the caller may read, or those of one model."""
    if model:
        model = known_name(ask.house, ask.caller, model, "reader")
    every = ask.yard.optimizations.list(model or None, before=before)
    found = tuple(hidden_data(ask.house, one) for one in islice(every, _ROWS + 1))
    return OptimizationsPage(
        found[:_ROWS], found[_ROWS - 1].id if len(found) > _ROWS else None, model
    )


@pages.page("/optimizations/{optimization}", "optimization.html", needs=on_yard("none"))
def show_optimization(
    ask: Ask,
    optimization: Id,
    *,
    trial: Annotated[int, Query(ge=-1, le=_LARGEST)] = -1,
    across: Metric = "",
    up: Metric = "",
    after: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> OptimizationPage:
    """How far it is, what was tried, and what came of it."""
    found = hidden_data(ask.house, ask.yard.optimizations.get(optimization))
    trials = ask.yard.optimizations.outlines(optimization)
    front = on_front(trials, found.recipe.goals)
    lines = lines_of(found, trials, front)
    shown = next((each for each in trials if each.number == trial), chosen_trial(found, trials))
    may_move = ask.caller.may(found.model, "writer")
    known = refs.all_refs(ask.house, found.model) if may_move and found.published else ()
    return OptimizationPage(
        optimization=found, recipe=written(found.recipe), facts=facts_of(found, trials),
        field=field_of(found, trials, across, up, front), parallel=parallel_of(found, trials),
        courses=courses_of(trials, _chosen(found, shown)),
        trials=lines[after : after + _TRIALS], after=after, all_trials=len(lines),
        failed=sum(each.state == "failed" for each in trials),
        pruned=sum(each.state == "pruned" for each in trials),
        shown=shown and ask.yard.optimizations.trial(optimization, shown.number),
        names=short_names(list(dict.fromkeys(name for t in trials for name in t.params))),
        most_changed=_CHANGED,
        aliases=tuple(ref for ref in known if ref.kind == "alias")[:_ALIASES],
        mattering=_mattering(ask, found),
        needs_trust=found.state == "stopped" and _needs_trust(ask, found),
    )  # fmt: skip


@pages.get(
    "/optimizations/{optimization}/live", needs=on_yard("none"), hidden=True,
    refuse=problem_page, seconds=math.inf,
)  # fmt: skip
def stream_news(ask: Ask, optimization: Id) -> Response:
    """`news` whenever a trial began or ended, or the state changed, until it is over.

    What is new stands on the page itself: it is fetched again.
    """
    ask.yard.optimizations.get(optimization)  # NotFound as an answer, before the stream begins
    return event_stream(
        ask.server, _news(ask, optimization, ask.server.shared.slot(ask.caller)), every=_EVERY
    )


@acts.act("/optimizations/cancel/{optimization}", needs=SIGNED_IN)
def cancel(ask: Ask, form: Form, optimization: Id) -> Done:
    """Stop it; the use case looks who may."""
    found = ask.yard.optimizations.cancel(optimization)
    text = language_of(ask.request).say(
        "The optimization of %(name)s is cancelled. What it found so far stays here.",
        name=found.title,
    )
    return Done(f"/optimizations/{optimization}", text)


def _chosen(found: Optimization, shown: Trial | None) -> frozenset[int]:
    """Trials that became versions, and the one whose passes are told of."""
    made = {each.trial for each in found.candidates if each.version is not None}
    return frozenset(made | ({shown.number} if shown is not None else set()))


def _mattering(ask: Ask, optimization: Optimization) -> dict[int, Mattering]:
    """As the reports of what was published say; a version may have been deleted since."""
    found: dict[int, Mattering] = {}
    for number in optimization.published[:_PUBLISHED]:
        with suppress(ModelyardError):
            reports = reports_page(ask.house, optimization.model, number, "optimization", limit=1)
            for report in reports.items:
                if (told := mattering_of(report)) is not None:
                    found[number] = told
    return found


def _needs_trust(ask: Ask, optimization: Optimization) -> bool:
    """As suggestions say; the version may have been deleted since."""
    from modelyard.optimization.planning import suggest

    try:
        found = suggest(ask.yard, optimization.model, optimization.number)
    except ModelyardError:
        return False
    return any("--trust" in need for each in found for need in each.needs)


def _news(ask: Ask, key: int, _slot: Slot) -> Iterator[list[Event]]:
    told: object = None
    while True:
        try:
            asked = again(ask)
            name = ("optimization", key, sight_of(asked.caller))
            seen = ask.server.shared.of(name, _EVERY, lambda: _mark(asked, key))  # noqa: B023
        except ModelyardError:  # it is gone, or may not be looked at any more
            return
        yield [Event("news", {"id": key})] if told not in (None, seen) else []
        told = seen


def _mark(ask: Ask, key: int) -> object:
    """Another one as soon as there is something else to see."""
    found = ask.yard.optimizations.get(key)
    return found.state, found.done, len(found.candidates), found.sentence
