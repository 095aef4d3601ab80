"""Views of events, webhooks and deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Column, Span, Spans, Table
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.events import Event, EventPage
    from modelyard.core.hooks import Delivery, Hook, MadeHook, Tried

__all__ = ["DeliveriesView", "EventView", "EventsView", "HooksView", "MadeHookView", "TriedView"]


@dataclass(frozen=True, slots=True)
class EventsView:
    """A page of events."""

    page: EventPage

    def json(self) -> object:
        return self.page

    def lines(self) -> Iterator[Block]:
        if not self.page.items:
            yield "no events"
            return
        titles = ("id", "time", "kind", "about", "what", "who")
        columns = [Column(t, right=t == "id", flexible=t in ("what", "who")) for t in titles]
        yield Table(columns, [_cells(event) for event in self.page.items])

    def ids(self) -> Iterator[str]:
        return (str(event.id) for event in self.page.items)


@dataclass(frozen=True, slots=True)
class EventView:
    """One event, as it happens."""

    event: Event

    def json(self) -> object:
        return self.event

    def lines(self) -> Iterator[Block]:
        number, time, kind, subject, what, who = _cells(self.event)
        yield [str(number), " ", str(time), " ", kind, " ", subject, f" {what} by {who}"]

    def ids(self) -> Iterator[str]:
        yield str(self.event.id)


def _cells(event: Event) -> Spans:
    return [
        str(event.id), words.minute(event.time), Span(event.kind, "good"),
        Span(event.subject or "-", "bold"), _what(event), event.account or event.who,
    ]  # fmt: skip


def _what(event: Event) -> str:
    detail = event.detail
    if event.ref is not None:
        moved = f"{event.ref_kind} {event.ref}{_way(event.old, event.new)}"
        message = words.first_line(str(detail.get("message", "")))
        return f"{moved}: {message}" if message else moved
    if event.kind == "label-changed":
        added = words.pairs(detail.get("add", {}))
        removed = " ".join(f"-{name}" for name in detail.get("remove", ()))
        return " ".join(text for text in (added, removed) if text)
    if event.kind == "model-renamed":
        return f"{detail.get('from', '')} -> {detail.get('to', '')}".strip()
    if event.kind == "deployment-changed":
        return f"{detail.get('deployment')}: {detail.get('action')}"
    if event.kind in ("alert-fired", "alert-resolved"):
        return f"{detail.get('deployment') or '-'}: {detail.get('rule')}"
    return str(detail.get("kind", ""))


def _way(old: int | None, new: int | None) -> str:
    if new is None:
        return f", was {old}"
    return f" at {new}" if old is None else f" {old} -> {new}"


@dataclass(frozen=True, slots=True)
class HooksView:
    """Webhooks."""

    hooks: Sequence[Hook]
    done: str = ""

    def json(self) -> object:
        return {"items": list(self.hooks)}

    def lines(self) -> Iterator[Block]:
        if not self.hooks:
            yield "no webhooks"
        elif self.done:
            yield from (f"{self.done} webhook {hook.id}: {hook.url}" for hook in self.hooks)
        else:
            titles = ("id", "url", "models", "kinds", "state", "owner")
            columns = [Column(t, right=t == "id", flexible=t in ("url", "kinds")) for t in titles]
            yield Table(columns, [self._row(hook) for hook in self.hooks])

    def _row(self, hook: Hook) -> Spans:
        state = Span("on", "good") if hook.active else Span("off", "bad")
        kinds = ", ".join(hook.events) or "all"
        return [str(hook.id), hook.url, hook.pattern, kinds, state, hook.owner or "-"]

    def ids(self) -> Iterator[str]:
        return (str(hook.id) for hook in self.hooks)


@dataclass(frozen=True, slots=True)
class MadeHookView:
    """A new webhook and its secret."""

    made: MadeHook

    def json(self) -> object:
        return self.made

    def lines(self) -> Iterator[Block]:
        yield f"webhook {self.made.hook.id} tells {self.made.hook.url}"
        yield f"secret: {self.made.secret}"

    def ids(self) -> Iterator[str]:
        yield str(self.made.hook.id)


@dataclass(frozen=True, slots=True)
class TriedView:
    """What came of a ping."""

    tried: Tried

    def json(self) -> object:
        return self.tried

    def lines(self) -> Iterator[Block]:
        told = f"answered with {self.tried.status}" if self.tried.is_good else self.tried.error
        yield f"{told}, {self.tried.seconds:.2f} s"

    def ids(self) -> Iterator[str]:
        yield str(self.tried.status or self.tried.error)


@dataclass(frozen=True, slots=True)
class DeliveriesView:
    """What was sent to a webhook, or waits."""

    deliveries: Sequence[Delivery]

    def json(self) -> object:
        return {"items": list(self.deliveries)}

    def lines(self) -> Iterator[Block]:
        if not self.deliveries:
            yield "no deliveries"
            return
        titles = ("id", "event", "state", "tries", "when", "status", "error")
        columns = [
            Column(t, right=t in ("id", "event", "tries"), flexible=t == "error") for t in titles
        ]
        yield Table(columns, [_delivery(one) for one in self.deliveries])

    def ids(self) -> Iterator[str]:
        return (str(one.id) for one in self.deliveries)


def _delivery(one: Delivery) -> Spans:
    colour = {"done": "good", "failed": "bad"}.get(one.state)
    state = Span(one.state, colour) if colour else one.state
    return [
        str(one.id), str(one.event), state, str(one.attempts), words.minute(one.due),
        "-" if one.status is None else str(one.status), one.error,
    ]  # fmt: skip
