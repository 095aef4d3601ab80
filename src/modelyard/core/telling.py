"""What one asks a yard about its channels, wherever it is. Pure: implemented twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from modelyard.core.channels import Channel, MadeChannel, NewChannel
    from modelyard.core.hooks import Tried

__all__ = ["Telling"]


class Telling(Protocol):
    """Channels of a folder (`monitoring.alerts.desk`) or a server (`client.channels`). All of it
    takes an admin: Denied `not-allowed`."""

    def channels(self) -> list[Channel]:
        """All, by name."""

    def add_channel(self, new: NewChannel) -> MadeChannel:
        """InvalidInput: `bad-channel`. Conflict: `channel-exists`, `too-many-channels`."""

    def remove_channel(self, name: str) -> Channel:
        """NotFound: `no-channel`."""

    def test_channel(self, name: str) -> Tried:
        """Send a notice that means nothing, now. NotFound: `no-channel`."""
