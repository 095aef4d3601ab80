"""Events: a page of them, and a stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from modelyard.core.events import EventPage, Wanted, wanted
from modelyard.registry.events import event_page, sight
from modelyard.server.feed import EventStream
from modelyard.server.routing import Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("events")

_LARGEST_ID = (1 << 62) - 1

Kinds = Annotated[
    list[str],
    Query(max_length=32, description="Kinds of events, repeated or with commas; none: all."),
]
Pattern = Annotated[
    str, Query(max_length=200, description="`*`, `vision/*`, or a model's name.", examples=["*"])
]
After = Annotated[
    int | None, Query(ge=0, le=_LARGEST_ID, description="Id of the last event that is known.")
]


@routes.get("/events", needs=on_yard("none"), answers=EventPage)
def list_events(
    ask: Ask,
    *,
    after: After = None,
    kind: Kinds = [],  # noqa: B006 - FastAPI copies it
    model: Pattern = "*",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> EventPage:
    """What happened to models that the caller may read, in the order of ids.

    Without `after` these are the newest events. Ids grow, but not by one. `next` is what to give as
    `after` for more, now or later: it is never empty.
    """
    return event_page(
        ask.server.house, after=after, wanted=_wanted(kind, model), limit=limit,
        readable=sight(ask.server.house, ask.caller),
    )  # fmt: skip


@routes.get(
    "/events/stream", needs=on_yard("none"),
    responses={
        200: {
            "description": "Events as they happen, until one side ends the stream.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)  # fmt: skip
def stream_events(
    ask: Ask,
    *,
    after: After = None,
    kind: Kinds = [],  # noqa: B006 - FastAPI copies it
    model: Pattern = "*",
) -> EventStream:
    """What happens, as server-sent events: `id`, `event` with the kind, `data` with the event.

    Begins after the event of the header `Last-Event-ID`, else of `after`, else with what is new.
    Who reads too slowly is cut off, and comes again. `event: failed` with a problem ends it.
    """
    given = ask.request.headers.get("last-event-id", "")
    if given.isascii() and given.isdigit() and int(given) <= _LARGEST_ID:
        after = int(given)
    return EventStream(ask, _wanted(kind, model), after)


def _wanted(kinds: list[str], model: str) -> Wanted:
    return wanted([kind for given in kinds for kind in given.split(",") if kind], model)
