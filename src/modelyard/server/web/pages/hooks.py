"""Webhooks: whom the server tells of events, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from modelyard.core.access import at_least
from modelyard.core.events import KINDS
from modelyard.core.hooks import Delivery, Hook, HookChange, NewHook
from modelyard.registry import hooks
from modelyard.server.hooks import ping
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.rendering import html
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("hooks")
acts = Acts("hooks")

_ROWS = 50
_KINDS = tuple(kind for kind in KINDS if kind != "ping")
_LAST = (1 << 62) - 1

Key = Annotated[int, Path(ge=1, le=_LAST)]


@dataclass(frozen=True, slots=True)
class HooksPage:
    """Webhooks that the caller looks after."""

    items: tuple[Hook, ...]
    kinds: tuple[str, ...]
    """Of events."""
    may_add: bool
    """Whether the caller is maintainer of anything."""


@dataclass(frozen=True, slots=True)
class HookPage:
    """One webhook, and what was sent to it."""

    hook: Hook
    deliveries: tuple[Delivery, ...]
    """Newest first."""
    next: int | None
    """Where the next page goes on."""
    kinds: tuple[str, ...]
    """Of events."""


@dataclass(frozen=True, slots=True)
class HookMade:
    """A webhook with its secret, which is shown this once."""

    hook: Hook
    secret: str


@pages.page("/settings/hooks", "hooks.html", needs=SIGNED_IN, secret=True)
def list_hooks(ask: Ask) -> HooksPage:
    """All webhooks that the caller may change."""
    caller = ask.caller
    found = tuple(hooks.all_hooks(ask.house))[:500]
    may_add = any(at_least(caller.role_over(g.pattern), "maintainer") for g in caller.grants)
    return HooksPage(found, _KINDS, may_add)


@pages.page("/settings/hooks/{key}", "hook.html", needs=SIGNED_IN, secret=True)
def show_hook(ask: Ask, key: Key, *, before: int = _LAST) -> HookPage:
    """One webhook. NotFound: `no-hook`, also for one that others look after."""
    hook = hooks.find_hook(ask.house, key)
    found = hooks.deliveries_of(ask.house, key, _ROWS + 1, min(max(before, 0), _LAST))
    more = found[_ROWS - 1].id if len(found) > _ROWS else None
    return HookPage(hook, tuple(found[:_ROWS]), more, _KINDS)


@acts.act("/hooks/add", needs=SIGNED_IN, secret=True)
def add_hook(ask: Ask, form: Form) -> Response:
    """Make a webhook, and show its secret."""
    new = NewHook(
        url=form.one("url"), events=tuple(form.many("events")), pattern=form.one("pattern") or "*"
    )
    made = hooks.add_hook(ask.house, new)
    return html(
        ask, "hook_made.html", HookMade(made.hook, made.secret), secret=True,
        at=f"/settings/hooks/{made.hook.id}", headers={"cache-control": "no-store"},
    )  # fmt: skip


@acts.act("/hooks/{key}/change", needs=SIGNED_IN)
def change_hook(ask: Ask, form: Form, key: Key) -> Done:
    """Give a webhook another URL or other events."""
    before = hooks.find_hook(ask.house, key)
    url = form.one("url")
    now = hooks.change_hook(
        ask.house, key,
        HookChange(url=url if url != before.url else None, events=tuple(form.many("events"))),
    )  # fmt: skip
    text = language_of(ask.request).say("The webhook %(key)s is changed.", key=now.id)
    return Done(f"/settings/hooks/{key}", text)


@acts.act("/hooks/{key}/switch", needs=SIGNED_IN)
def switch_hook(ask: Ask, form: Form, key: Key) -> Done:
    """Pause a webhook, or let it hear of what happens from now on."""
    active = form.one("active") == "yes"
    hooks.change_hook(ask.house, key, HookChange(active=active))
    say = language_of(ask.request).say
    text = (
        say("The webhook %(key)s is told of what happens from now on.", key=key) if active
        else say("The webhook %(key)s is paused.", key=key)
    )  # fmt: skip
    undo = Undo(f"/do/hooks/{key}/switch", {"active": "no" if active else "yes"})
    return Done(f"/settings/hooks/{key}", text, undo)


@acts.act("/hooks/{key}/test", needs=SIGNED_IN)
def test_hook(ask: Ask, form: Form, key: Key) -> Done:
    """Send a `ping` now, and tell what came of it."""
    tried = ping(ask.house, ask.server.settings, hooks.hook_row(ask.house, key))
    say, ms = language_of(ask.request).say, round(tried.seconds * 1000)
    if tried.status is not None and not tried.error:
        text = say("It answered %(status)s after %(ms)s ms.", status=tried.status, ms=ms)
    else:
        text = say("It did not arrive: %(error)s", error=tried.error)
    return Done(f"/settings/hooks/{key}", text, is_problem=not tried.is_good)


@acts.act("/hooks/{key}/remove", needs=SIGNED_IN)
def remove_hook(ask: Ask, form: Form, key: Key) -> Done:
    """Remove a webhook, and what waits for it."""
    hooks.remove_hook(ask.house, key)
    text = language_of(ask.request).say("The webhook %(key)s is removed.", key=key)
    return Done("/settings/hooks", text)


@acts.act("/hooks/{key}/redeliver/{delivery}", needs=SIGNED_IN)
def redeliver(ask: Ask, form: Form, key: Key, delivery: Key) -> Done:
    """Send an event again."""
    hooks.redeliver(ask.house, key, delivery)
    text = language_of(ask.request).say("It is sent again, with the same id.")
    return Done(f"/settings/hooks/{key}", text)
