"""What happened to models, day by day, and how to hear of what comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from modelyard.core.events import KINDS, Event
from modelyard.registry.activity import Sought, activity, newer
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("activity")

_ON_A_PAGE = 60
_MOST_NEWS = 99

Text = Annotated[str, Query(max_length=200)]
Number = Annotated[int | None, Query(ge=0, le=(1 << 62) - 1)]


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """What the page shows."""

    items: tuple[Event, ...]
    """Events, the newest first."""
    next: str | None
    """Where the next page goes on."""
    sought: Sought
    """What was asked for."""
    kinds: tuple[str, ...]
    """What can be asked for."""
    since: int
    """Id of the newest event that the reader has seen."""
    news: int
    """How many came after it."""


@pages.page("/activity", "activity.html", needs=on_yard("none"))
def show_activity(
    ask: Ask,
    *,
    model: Text = "",
    account: Text = "",
    kind: Text = "",
    after: Number = None,
    since: Number = None,
) -> ActivityPage:
    """What happened to the models that the caller may read.

    Args:
        after: Only events before this one: the next page.
        since: Tell how many events are newer than this one.
    """
    sought = Sought(model.strip(), account.strip(), kind)
    found = activity(ask.house, sought, limit=_ON_A_PAGE, before=after)
    newest = found.items[0].id if found.items else 0
    news = newer(ask.house, sought, after=since, most=_MOST_NEWS) if since is not None else 0
    return ActivityPage(
        items=found.items, next=found.next, sought=sought,
        kinds=tuple(name for name in KINDS if name != "ping"),
        since=newest if since is None else since, news=news,
    )  # fmt: skip
