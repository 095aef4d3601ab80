"""All deployments beside each other, worst first: how each does, in the last hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from modelyard.core.monitoring import Overview
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages
from modelyard.server.web.watched import monitoring_of

__all__ = ["FleetPage", "pages"]

pages = Pages("fleet")

_CARDS = 48


@dataclass(frozen=True, slots=True)
class FleetPage:
    """Deployments that the caller may see."""

    items: tuple[Overview, ...]
    """Worst first."""
    only: str
    """The verdict that was asked for; empty: all."""
    counts: Mapping[str, int]
    """Deployments by verdict."""
    whole: int
    """All of them."""
    after: int
    """How many stand on pages before this one."""
    next: int | None
    """Where the next page goes on."""
    firing: int
    """Alerts."""


@pages.page("/monitoring", "fleet.html", needs=on_yard("none"))
def show_fleet(
    ask: Ask, *, only: str = "", after: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> FleetPage:
    """The fleet."""
    every = monitoring_of(ask).fleet()
    found = [one for one in every if only in ("", one.verdict)]
    items = tuple(found[after : after + _CARDS])
    return FleetPage(
        items=items, only=only, counts=Counter(one.verdict for one in every), whole=len(every),
        after=after, next=after + _CARDS if len(found) > after + _CARDS else None,
        firing=sum(one.alerts for one in every),
    )  # fmt: skip
