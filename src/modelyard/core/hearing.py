"""What one asks a yard about events and webhooks, wherever it is. Pure: implemented twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.events import Event, EventPage, Wanted
    from modelyard.core.hooks import Delivery, Hook, HookChange, MadeHook, NewHook, Tried

__all__ = ["Hearing"]


class Hearing(Protocol):
    """Events and webhooks, of a folder (`registry.hearing`) or a server (`client.events`)."""

    def events(self, *, after: int | None, wanted: Wanted, limit: int) -> EventPage:
        """Events after one, or the newest."""

    def follow(self, *, after: int | None, wanted: Wanted) -> Iterator[Event]:
        """Events after one, or from now on, as they happen; without end."""

    def hooks(self) -> list[Hook]:
        """Webhooks that the caller looks after."""

    def add_hook(self, new: NewHook) -> MadeHook: ...

    def change_hook(self, key: int, change: HookChange) -> Hook: ...

    def remove_hook(self, key: int) -> Hook: ...

    def test_hook(self, key: int) -> Tried:
        """Send a ping now."""

    def deliveries(self, key: int, limit: int) -> list[Delivery]:
        """What was sent to a webhook, or waits; newest first."""

    def redeliver(self, key: int, delivery: int) -> Delivery: ...
