"""Events and webhooks of a yard in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry import events, hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.catalog.queries.hooks import HookRow
    from modelyard.core.events import Event, EventPage, Wanted
    from modelyard.core.hearing import Hearing
    from modelyard.core.hooks import Delivery, Hook, HookChange, MadeHook, NewHook, Tried
    from modelyard.registry.house import House

    Pinger = Callable[[House, HookRow], Tried]

__all__ = ["LocalHearing"]


class LocalHearing:
    """`core.hearing.Hearing` over a house. A server must run for webhooks to be told."""

    def __init__(self, house: House, ping: Pinger) -> None:
        self._house = house
        self._ping = ping

    def events(self, *, after: int | None, wanted: Wanted, limit: int) -> EventPage:
        return events.event_page(self._house, after=after, wanted=wanted, limit=limit)

    def follow(self, *, after: int | None, wanted: Wanted) -> Iterator[Event]:
        return events.follow(self._house, after=after, wanted=wanted)

    def hooks(self) -> list[Hook]:
        return hooks.all_hooks(self._house)

    def add_hook(self, new: NewHook) -> MadeHook:
        return hooks.add_hook(self._house, new)

    def change_hook(self, key: int, change: HookChange) -> Hook:
        return hooks.change_hook(self._house, key, change)

    def remove_hook(self, key: int) -> Hook:
        return hooks.remove_hook(self._house, key)

    def test_hook(self, key: int) -> Tried:
        return self._ping(self._house, hooks.hook_row(self._house, key))

    def deliveries(self, key: int, limit: int) -> list[Delivery]:
        return hooks.deliveries_of(self._house, key, limit)

    def redeliver(self, key: int, delivery: int) -> Delivery:
        return hooks.redeliver(self._house, key, delivery)


if TYPE_CHECKING:
    _: type[Hearing] = LocalHearing
