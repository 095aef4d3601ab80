"""What happened lately, the newest first, as pages show it: of models that the caller may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import events as queries
from modelyard.catalog.queries import models
from modelyard.catalog.queries.readable import readable
from modelyard.core.events import KIND_OF, Event, parse_kinds
from modelyard.core.listed import Listed
from modelyard.registry.events import event_of, seen_by, sight

if TYPE_CHECKING:
    from modelyard.catalog.queries.events import EventRow
    from modelyard.registry.house import House

__all__ = ["Sought", "activity", "newer"]

_MOVES = {"ref-created": "created", "ref-moved": "moved", "ref-deleted": "deleted"}
_ACTION = {kind: action for action, kind in KIND_OF.items()}


@dataclass(frozen=True, slots=True)
class Sought:
    """Which events; what is empty is not asked for."""

    model: str = ""
    """By name, as it is now or was."""
    account: str = ""
    """Whose."""
    kind: str = ""
    """One of `core.events.KINDS`."""


def activity(house: House, sought: Sought, *, limit: int, before: int | None) -> Listed[Event]:
    """Events below a number. InvalidInput: `bad-event-kind`."""
    rows = _rows(house, sought, limit + 1, before=before)
    more = len(rows) > limit
    return Listed(tuple(_seen(house, rows[:limit])), str(rows[limit - 1].id) if more else None)


def newer(house: House, sought: Sought, *, after: int, most: int) -> int:
    """How many events came after one, up to `most`."""
    return len(_seen(house, _rows(house, sought, most, after=after)))


def _rows(
    house: House,
    sought: Sought,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
) -> list[EventRow]:
    if sought.kind:
        parse_kinds([sought.kind])
    with house.catalog.fresh() as connection:
        of = models.ids_named(connection, sought.model) if sought.model else None
        if of == []:
            return []
        return queries.latest(
            connection, actions=list(KIND_OF), limit=limit, before=before, after=after, of=of,
            account=sought.account or None, kind=_MOVES.get(sought.kind),
            action=_ACTION.get(sought.kind),  # type: ignore[call-overload]
            where=readable(house.caller),
        )  # fmt: skip


def _seen(house: House, rows: list[EventRow]) -> list[Event]:
    may = sight(house, house.caller)
    told = [event for event in map(event_of, rows) if event is not None]
    return [event for each in told if (event := seen_by(each, may)) is not None]
