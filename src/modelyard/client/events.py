"""Events and webhooks of a server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx2

from modelyard.client.failures import failed_to_reach, strange
from modelyard.core.events import Event, EventPage
from modelyard.core.hooks import Delivery, Hook, MadeHook, Tried
from modelyard.core.wire import decode, error_of
from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.client.connection import Connection
    from modelyard.core.events import Wanted
    from modelyard.core.hearing import Hearing
    from modelyard.core.hooks import HookChange, NewHook

__all__ = ["RemoteHearing"]

_LONGEST = 4 << 20
_PATIENCE = 300.0
"""Seconds for which a server may be away from somebody who follows its events."""
_PAUSE = 1.0


class RemoteHearing:
    """`core.hearing.Hearing` over HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def events(self, *, after: int | None, wanted: Wanted, limit: int) -> EventPage:
        query = {**_query(wanted), "after": after, "limit": limit}
        return self._connection.get(("events",), EventPage, **query)

    def follow(self, *, after: int | None, wanted: Wanted) -> Iterator[Event]:
        """The connection may break: then it goes on where it was."""
        position, seen = after, time.monotonic()
        reached = False
        while True:
            try:
                for number, event in self._stream(position, wanted):
                    position, seen, reached = number, time.monotonic(), True
                    if event is not None:
                        yield event
            except Unavailable:
                if not reached or time.monotonic() - seen > _PATIENCE:
                    raise
            time.sleep(_PAUSE)

    def _stream(self, after: int | None, wanted: Wanted) -> Iterator[tuple[int, Event | None]]:
        """Events with their ids, and now and then an id alone: nothing up to it is to come."""
        headers = {"accept": "text/event-stream"}
        if after is not None:
            headers["last-event-id"] = str(after)
        query = _query(wanted)
        with self._connection.stream(
            ("events", "stream"), query=query, headers=headers
        ) as response:
            kind, data, number = "", b"", b""
            for line in self._lines(response):
                name, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if name == b"id" and value.isdigit():
                    number = value
                elif name == b"event":
                    kind = value.decode("ascii", "replace")
                elif name == b"data":
                    data += value
                elif not line:
                    if kind == "failed":
                        raise error_of(data, 500)
                    if number:
                        yield int(number), decode(data, Event) if data else None
                    kind, data, number = "", b"", b""

    def _lines(self, response: httpx2.Response) -> Iterator[bytes]:
        """As they arrive: whatever waits to make up a larger piece would be late."""
        rest = b""
        try:
            for piece in response.iter_raw():
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > _LONGEST:
                    raise strange(self._connection.address, "an event without end")
                yield from lines
        except httpx2.HTTPError as error:
            raise failed_to_reach(self._connection.address, error, reached=True) from None

    def hooks(self) -> list[Hook]:
        return self._connection.get(("hooks",), list[Hook])

    def add_hook(self, new: NewHook) -> MadeHook:
        return self._connection.post(("hooks",), MadeHook, new)

    def change_hook(self, key: int, change: HookChange) -> Hook:
        return self._connection.patch(("hooks", key), Hook, change)

    def remove_hook(self, key: int) -> Hook:
        return self._connection.delete(("hooks", key), Hook)

    def test_hook(self, key: int) -> Tried:
        return self._connection.post(("hooks", key, "test"), Tried)

    def deliveries(self, key: int, limit: int) -> list[Delivery]:
        return self._connection.get(("hooks", key, "deliveries"), list[Delivery], limit=limit)

    def redeliver(self, key: int, delivery: int) -> Delivery:
        path = ("hooks", key, "deliveries", delivery, "redeliver")
        return self._connection.post(path, Delivery)


def _query(wanted: Wanted) -> dict[str, object]:
    return {"kind": ",".join(sorted(wanted.kinds)) or None, "model": wanted.pattern}


if TYPE_CHECKING:
    _: type[Hearing] = RemoteHearing
