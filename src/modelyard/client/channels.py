"""Channels of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.core.channels import Channel, MadeChannel
from modelyard.core.hooks import Tried

if TYPE_CHECKING:
    from modelyard.client.connection import Connection
    from modelyard.core.channels import NewChannel
    from modelyard.core.telling import Telling

__all__ = ["RemoteTelling"]


class RemoteTelling:
    """`core.telling.Telling` over HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def channels(self) -> list[Channel]:
        return self._connection.get(("channels",), list[Channel])

    def add_channel(self, new: NewChannel) -> MadeChannel:
        return self._connection.post(("channels",), MadeChannel, new)

    def remove_channel(self, name: str) -> Channel:
        return self._connection.delete(("channels", name), Channel)

    def test_channel(self, name: str) -> Tried:
        return self._connection.post(("channels", name, "test"), Tried)


if TYPE_CHECKING:
    _: type[Telling] = RemoteTelling
