"""Channels of a folder, or of a server's own yard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelyard.core.monitoring import Alert
from modelyard.monitoring.alerts.channels import send
from modelyard.monitoring.alerts.notices import Notice
from modelyard.registry.watching import channels

if TYPE_CHECKING:
    from modelyard.core.channels import Channel, MadeChannel, NewChannel
    from modelyard.core.hooks import Tried
    from modelyard.core.telling import Telling
    from modelyard.monitoring.alerts.channels import Outside
    from modelyard.registry.house import House

__all__ = ["LocalTelling"]


class LocalTelling:
    """`core.telling.Telling` over a house."""

    def __init__(self, house: House, outside: Outside, base: str = "") -> None:
        """`base`: the server's address, for links."""
        self._house = house
        self._outside = outside
        self._base = base

    def channels(self) -> list[Channel]:
        return channels.listed(self._house)

    def add_channel(self, new: NewChannel) -> MadeChannel:
        return channels.add(self._house, new)

    def remove_channel(self, name: str) -> Channel:
        return channels.remove(self._house, name)

    def test_channel(self, name: str) -> Tried:
        reach = channels.reach(self._house, name)
        now = datetime.now(UTC)
        alert = Alert(
            id=0, deployment="", rule="test", severity="info", state="firing", since=now,
            until=None, value=None, threshold=None, words="This is a test: alerts arrive here",
        )  # fmt: skip
        notice = Notice(f"test-{now.timestamp():.6f}", "", (alert,), self._base)
        return send(reach, notice, self._outside)


if TYPE_CHECKING:
    _: type[Telling] = LocalTelling
