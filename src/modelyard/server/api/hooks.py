"""Webhooks: make, list, change, try, remove; what was delivered."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from modelyard.core.hooks import Delivery, Hook, HookChange, MadeHook, NewHook, Tried
from modelyard.registry import hooks
from modelyard.server.hooks import ping
from modelyard.server.routing import SIGNED_IN, Answer, Routes
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("webhooks")

_LARGEST = (1 << 62) - 1
Key = Annotated[int, Path(ge=1, le=_LARGEST)]
Kind = Annotated[str, Field(max_length=40)]
Url = Annotated[
    str, Field(min_length=1, max_length=2000, examples=["https://ci.example.org/hooks/models"])
]
Kinds = Annotated[list[Kind], Field(max_length=32, examples=[["version-committed", "ref-moved"]])]


class HookBody(BaseModel):
    """A webhook that is to be made."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    events: Kinds = []
    pattern: Annotated[str, Field(max_length=200, examples=["vision/*"])] = "*"


class HookChangeBody(BaseModel):
    """What is to be different."""

    model_config = ConfigDict(extra="forbid")

    active: bool | None = None
    url: Url | None = None
    events: Kinds | None = None


@routes.get("/hooks", needs=SIGNED_IN, answers=list[Hook])
def list_hooks(ask: Ask) -> list[Hook]:
    """Webhooks that the caller looks after: as maintainer of the models, as admin those of `*`."""
    return hooks.all_hooks(ask.house)


@routes.post("/hooks", needs=SIGNED_IN, answers=MadeHook, status=201, secret=True)
def add_hook(ask: Ask, *, body: HookBody) -> Answer:
    """Make a webhook, which is told of what happens from now on.

    The secret, which signs what is sent, is shown only in this answer. A webhook for `*` takes an
    admin, another a maintainer of its models; it is told only what that one may read.
    """
    new = NewHook(url=body.url, events=tuple(body.events), pattern=body.pattern)
    made = hooks.add_hook(ask.house, new)
    return Answer(made, 201, {"location": f"{ask.base}/api/v1/hooks/{made.hook.id}"})


@routes.get("/hooks/{key}", needs=SIGNED_IN, answers=Hook)
def show_hook(ask: Ask, key: Key) -> Hook:
    """One webhook."""
    return hooks.find_hook(ask.house, key)


@routes.patch("/hooks/{key}", needs=SIGNED_IN, answers=Hook)
def change_hook(ask: Ask, key: Key, *, body: HookChangeBody) -> Hook:
    """Switch a webhook off or on, or change its URL or kinds of events.

    One that is switched on hears of what happens from then on. Who gives it another URL owns it.
    """
    events = None if body.events is None else tuple(body.events)
    change = HookChange(active=body.active, url=body.url, events=events)
    return hooks.change_hook(ask.house, key, change)


@routes.delete("/hooks/{key}", needs=SIGNED_IN, answers=Hook)
def remove_hook(ask: Ask, key: Key) -> Hook:
    """Remove a webhook, and what waits for it."""
    return hooks.remove_hook(ask.house, key)


@routes.post("/hooks/{key}/test", needs=SIGNED_IN, answers=Tried)
def test_hook(ask: Ask, key: Key) -> Tried:
    """Send a `ping` now, and tell what came of it."""
    row = hooks.hook_row(ask.house, key)
    return ping(ask.house, ask.server.settings, row)


@routes.get("/hooks/{key}/deliveries", needs=SIGNED_IN, answers=list[Delivery])
def list_deliveries(
    ask: Ask,
    key: Key,
    *,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[
        int, Query(ge=0, le=_LARGEST, description="Only deliveries with smaller ids.")
    ] = _LARGEST,
) -> list[Delivery]:
    """What was sent to a webhook, or waits: newest first. What is over is kept for two weeks."""
    return hooks.deliveries_of(ask.house, key, limit, before)


@routes.post("/hooks/{key}/deliveries/{delivery}/redeliver", needs=SIGNED_IN, answers=Delivery)
def redeliver(ask: Ask, key: Key, delivery: Key) -> Delivery:
    """Send an event again, with the same `webhook-id`."""
    return hooks.redeliver(ask.house, key, delivery)
