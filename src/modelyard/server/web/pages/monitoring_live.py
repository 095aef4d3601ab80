"""News for a page that is open: a word as soon as there is something else to see."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Final

from starlette.responses import Response

from modelyard.errors import ModelyardError
from modelyard.monitoring.windows import PERFORMANCE
from modelyard.registry.watching import tiles
from modelyard.registry.watching.seeing import Watched, watched
from modelyard.server.auth import again
from modelyard.server.routing import on_yard
from modelyard.server.shared import Slot, sight_of
from modelyard.server.sse import Event, event_stream
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages, problem_page
from modelyard.server.web.watched import monitoring_of

__all__ = ["pages"]

pages = Pages("monitoring-live")

_EVERY: Final = 1.0
_MINUTE: Final = 60.0


@pages.get(
    "/deployments/{name}/monitoring/live", needs=on_yard("none"), hidden=True,
    refuse=problem_page, seconds=math.inf,
)  # fmt: skip
def stream_news(ask: Ask, name: str) -> Response:
    """`news` whenever requests came, an alert began or ended, or the deployment was changed.

    What is new stands on the page itself: it is fetched again.
    """
    watched(ask.house, name)  # NotFound as an answer, before the stream begins
    slot = ask.server.shared.slot(ask.caller)
    return event_stream(ask.server, _news(ask, name, slot), every=_EVERY)


def _news(ask: Ask, name: str, _slot: Slot) -> Iterator[list[Event]]:
    told: object = None
    while True:
        try:
            asked = again(ask)
            at = watched(asked.house, name)
            key = ("mark", at.id, at.generation, sight_of(asked.caller))
            seen = ask.server.shared.of(key, _EVERY, lambda: _mark(asked, at))  # noqa: B023
        except ModelyardError:  # it is gone, or may not be looked at any more
            return
        yield [Event("news", {"time": int(time.time())})] if told not in (None, seen) else []
        told = seen


def _mark(ask: Ask, at: Watched) -> object:
    """Another one as soon as there is something else to see."""
    now = time.time()
    since = now // _MINUTE * _MINUTE - _MINUTE
    rows = tiles.between(ask.house, at.id, since, now + _MINUTE, kind=PERFORMANCE, level=0)
    firing = monitoring_of(ask).alerts(at.name, firing=True)
    return (
        at.generation,
        tuple((one.model_id, one.number, one.start, one.server, one.rows) for one in rows),
        tuple((one.id, one.silenced) for one in firing),
    )
