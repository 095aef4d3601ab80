"""The history of a model: a graph with lanes, beside a table of its versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import RedirectResponse, Response

from modelyard.core.names import ModelRevision
from modelyard.registry.graph import History, history_page
from modelyard.server.routing import on_model, on_yard
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages, problem_page

__all__ = ["pages"]

pages = Pages("history")

Some = Annotated[int, Query(ge=1, le=500)]
Text = Annotated[str, Query(max_length=200)]
Token = Annotated[str | None, Query(max_length=12_000)]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """What the page shows."""

    history: History
    """Versions with their places in the graph."""
    lanes: int
    """How many the widest row has."""
    revision: str
    """Only this version and what it came from is shown; all if empty."""
    metric: str
    """The metric that was asked for; empty if none was."""
    limit: int
    """Versions on a page."""


@pages.page("/history/{model:path}", "history.html", needs=on_model("reader"))
def show_history(
    ask: Ask,
    model: str,
    *,
    revision: Text = "",
    metric: Text = "",
    limit: Some = 100,
    after: Token = None,
) -> HistoryPage:
    """All versions of a model, or a version and all it came from."""
    found = history_page(
        ask.house, model, revision=revision or None, metric=metric, limit=limit, after=after
    )
    lanes = max((row.place.width for row in found.items), default=1)
    return HistoryPage(found, lanes, revision, metric, limit)


@pages.get("/pick", needs=on_yard("none"), hidden=True, refuse=problem_page)
def compare_picked(
    ask: Ask, *, v: Annotated[tuple[str, ...], Query(max_length=100)] = ()
) -> Response:
    """Versions that were ticked, the newest first: to the page that compares so many."""
    titles = [str(ModelRevision.parse(title)) for title in reversed(v)]
    if len(titles) > 2:
        path, query = "/compare/many", [("v", title) for title in titles]
    else:
        path, query = "/compare", list(zip("ab", titles, strict=False))
    address = f"{ask.server.settings.prefix}{path}"
    return RedirectResponse(f"{address}?{urlencode(query)}" if query else address, 303)
