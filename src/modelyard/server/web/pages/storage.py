"""Bytes: what each model takes, how they grew, and what gc would give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from modelyard.core.stats import GcReport, YardStats
from modelyard.core.version import human_size
from modelyard.registry.volumes import Grown, Volume, volumes_of
from modelyard.server.jobs import Job
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import language_of
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("storage")
acts = Acts("storage")

_ON_A_PAGE = 50
_DAYS = 200


@dataclass(frozen=True, slots=True)
class StoragePage:
    """What the page shows."""

    whole: YardStats
    """Sums over the models that the caller may read."""
    is_whole: bool
    """Whether these are all models: only then is it known what they share."""
    ratio: float
    """Stored bytes, with the catalog's, over what plain copies would take."""
    items: tuple[Volume, ...]
    """Models, largest first."""
    largest: int
    """Bytes that fill a whole bar."""
    is_counted: bool
    """Whether it is known which bytes only one model has; else bars show what was new."""
    next: int | None
    """How many to skip for the models that follow."""
    grown: tuple[Grown, ...]
    """How the bytes grew, by day."""
    forecast: Job | None
    """The newest job that told an admin what gc would free."""


@pages.page("/storage", "storage.html", needs=on_yard("none"))
def show_storage(ask: Ask, *, after: Annotated[int, Query(ge=0, le=10_000_000)] = 0) -> StoragePage:
    """The bytes of all models that the caller may read."""
    found = volumes_of(ask.house)
    whole, items = found.whole, found.items
    is_counted = any(item.own is not None for item in items)
    rest = len(items) > after + _ON_A_PAGE
    return StoragePage(
        whole=_short(whole), is_whole=found.is_whole, ratio=whole.ratio,
        items=items[after : after + _ON_A_PAGE],
        largest=max((_full(item) for item in items), default=0),
        is_counted=is_counted, next=after + _ON_A_PAGE if rest else None,
        grown=_thin(found.grown), forecast=_forecast(ask),
    )  # fmt: skip


@acts.act("/storage/forecast", needs=on_yard("admin"))
def forecast(ask: Ask, form: Form) -> Done:
    """Tell what gc would free, without freeing it."""
    del form
    yard, say = ask.yard, language_of(ask.request).say
    answer = ask.server.jobs.run(ask, "gc", [], lambda _: yard.gc(dry_run=True), seconds=0.0)
    told = answer.value
    if isinstance(told, GcReport):  # it was done at once
        size = human_size(told.freed)
        return Done("/storage", say("gc would free %(size)s at once.", size=size))
    assert isinstance(told, Job)
    return Done(f"/jobs/{told.id}", "")


def _full(item: Volume) -> int:
    if item.own is None or item.shared is None:
        return item.logical
    return item.own + item.shared


def _short(whole: YardStats) -> YardStats:
    """Models stand on the page by themselves."""
    from dataclasses import replace

    return replace(whole, per_model=())


def _thin(grown: tuple[Grown, ...]) -> tuple[Grown, ...]:
    """Not more days than a line has room for; the first and the last among them."""
    if len(grown) <= _DAYS:
        return grown
    step = (len(grown) - 1) / (_DAYS - 1)
    return tuple(grown[round(at * step)] for at in range(_DAYS))


def _forecast(ask: Ask) -> Job | None:
    if not ask.caller.may("*", "admin"):
        return None
    jobs = ask.server.jobs.newest(ask.caller, 50)
    return next((job for job in jobs if job.kind == "gc" and _is_dry(job.result)), None)


def _is_dry(result: Any) -> bool:
    return isinstance(result, dict) and bool(result.get("dry_run"))
