"""Events: what happened to a model, as feeds and webhooks tell it. Pure.

An event is a line of the audit log that changed a model; its number is the event's id. What
happened to accounts, tokens or the house is in the audit log alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from modelyard.core.access import check_pattern
from modelyard.core.version import RefKind
from modelyard.errors import InvalidInput

__all__ = [
    "KINDS",
    "KIND_OF",
    "Event",
    "EventKind",
    "EventPage",
    "Wanted",
    "kind_of",
    "parse_kinds",
    "wanted",
]

EventKind = Literal[
    "version-committed",
    "version-deleted",
    "version-purged",
    "version-restored",
    "version-imported",
    "ref-created",
    "ref-moved",
    "ref-deleted",
    "label-changed",
    "report-kept",
    "deployment-changed",
    "alert-fired",
    "alert-resolved",
    "model-copied",
    "model-renamed",
    "model-deleted",
    "model-restored",
    "model-forgotten",
    "ping",
]

KINDS: Mapping[EventKind, str] = MappingProxyType(
    {
        "version-committed": "A version was committed to a branch; the branch `ref` moved from"
        " `old` to `new`. With `number` 1, the model is new.",
        "version-deleted": "Version `number` was deleted; it can be restored.",
        "version-purged": "Version `number` was deleted for good.",
        "version-restored": "Version `number` was restored.",
        "version-imported": "Version `number` was made from an export of the commit"
        " `detail.commit`; it was committed just before.",
        "ref-created": "A branch, tag or alias `ref` was made; it points at `new`.",
        "ref-moved": "The branch or alias `ref` moved from `old` to `new`; `detail.reason` says"
        " by what.",
        "ref-deleted": "`ref` was deleted; it pointed at `old`.",
        "label-changed": "Labels of version `number`, or without one of the model, were set"
        " (`detail.add`) or removed (`detail.remove`).",
        "report-kept": "An evaluation, an explanation or another report was kept with version"
        " `number`; `detail.kind` says which.",
        "deployment-changed": "The deployment `detail.deployment`, which serves this model first of"
        " all, was changed: `detail.action` says how, and `detail.generation` counts. It is told"
        " to who may read this model.",
        "alert-fired": "An alert fires: the rule `detail.rule` of the deployment"
        " `detail.deployment`, which serves this model first of all. `detail.severity` says how bad"
        " it is, and `detail.alert` which alert it is.",
        "alert-resolved": "An alert is over; the detail is as with `alert-fired`.",
        "model-copied": "Versions (`detail.versions`) came from another yard.",
        "model-renamed": "The model has the name `detail.to` from now on.",
        "model-deleted": "The model was deleted; it can be restored.",
        "model-restored": "The model was restored.",
        "model-forgotten": "The model is gone for good. Its name is not told any more, so only"
        " who reads every model hears of it.",
        "ping": "Nothing happened: this tries a webhook out. No feed tells it.",
    }
)
"""Every kind, and what it says. Kinds are stable; new ones may come."""

KIND_OF: Mapping[str, EventKind] = MappingProxyType(
    {
        "commit": "version-committed",
        "delete": "version-deleted",
        "purge": "version-purged",
        "restore": "version-restored",
        "label": "label-changed",
        "report": "report-kept",
        "deployment": "deployment-changed",
        "alert-fired": "alert-fired",
        "alert-resolved": "alert-resolved",
        "import": "version-imported",
        "copy": "model-copied",
        "rename": "model-renamed",
        "delete-model": "model-deleted",
        "restore-model": "model-restored",
        "forget-model": "model-forgotten",
    }
)
"""The kind of each line of the audit log that moves no ref by itself, by its action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a model."""

    id: int
    """Ids grow, but not by one; the same id never means two events."""
    time: datetime
    kind: EventKind
    model: str
    """Its name now, which may be another than when it happened."""
    number: int | None = None
    """Of the version that it is about."""
    ref: str | None = None
    """The branch, tag or alias that moved."""
    ref_kind: RefKind | None = None
    old: int | None = None
    """Number of the version where the ref was; None if it is new."""
    new: int | None = None
    """Where it is now; None if it is gone."""
    who: str = ""
    """As authors are written."""
    account: str | None = None
    """Name of the account that did it, on a server."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What else belongs to this kind."""

    @property
    def subject(self) -> str:
        """The version or model that it is about, as people write it."""
        return self.model if self.number is None else f"{self.model}@{self.number}"


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, in the order of ids."""

    items: tuple[Event, ...]
    next: int
    """After which id there may be more, now or later."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody wants to hear of."""

    kinds: frozenset[str] = frozenset()
    """None: all."""
    pattern: str = "*"

    def takes(self, event: Event) -> bool:
        if self.kinds and event.kind not in self.kinds:
            return False
        return self.takes_model(event.model)

    def takes_model(self, model: str) -> bool:
        if self.pattern in ("*", model):
            return True
        return self.pattern.endswith("/*") and model.startswith(self.pattern[:-1])


def wanted(kinds: Sequence[str] = (), pattern: str = "*") -> Wanted:
    """InvalidInput: `bad-event-kind`, `bad-pattern`."""
    return Wanted(parse_kinds(kinds), check_pattern(pattern))


def parse_kinds(kinds: Sequence[str]) -> frozenset[str]:
    """InvalidInput: `bad-event-kind`."""
    for kind in kinds:
        if kind not in KINDS or kind == "ping":
            raise InvalidInput(
                "bad-event-kind", f"{kind[:40]!r} is no kind of event",
                hint=f"one of {', '.join(name for name in KINDS if name != 'ping')}",
            )  # fmt: skip
    return frozenset(kinds)


def kind_of(
    action: str, *, moves: bool, old: int | None = None, new: int | None = None
) -> EventKind | None:
    """The kind of a line of the audit log; None for one that is no event.

    Args:
        moves: Whether the line is a move of a ref.
    """
    if moves and action != "commit":
        return "ref-deleted" if new is None else "ref-created" if old is None else "ref-moved"
    return KIND_OF.get(action)
