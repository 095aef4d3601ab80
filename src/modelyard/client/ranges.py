"""Large answers straight into memory: h11 takes them in pieces of 64 KiB, each copied three times.

Only what goes well is done here. Whatever does not is asked for again in the ordinary way, which
knows what an error means and how often to try.
"""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.request import getproxies

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from modelyard.client.addresses import Address

__all__ = ["Ranges"]

_PATIENCE = 60.0


class Ranges:
    """Connections to one server that read ranges. Safe for many threads.

    Args:
        trusted: Makes the context that TLS is verified with.
    """

    def __init__(self, address: Address, trusted: Callable[[], ssl.SSLContext]) -> None:
        self._address = address
        self._trusted = trusted
        self._idle: list[http.client.HTTPConnection] = []
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_direct = not (getproxies().keys() - {"no"})
        """Whether no proxy may be in between; a way through one is none of our business."""

    def read(self, path: str, headers: Mapping[str, str], room: memoryview) -> bool:
        """Fill memory with the range that the headers ask for. False if it was not to be had."""
        if not self._is_direct or self._is_closed:
            return False
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        with suppress(OSError, http.client.HTTPException, ValueError):
            connection = connection or self._connected()
            connection.request("GET", path, headers=dict(headers))
            answer = connection.getresponse()
            if answer.status == 206 and answer.length == len(room) and _filled(answer, room):
                self._keep(connection)
                return True
        if connection is not None:
            connection.close()
        return False

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._address.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_PATIENCE)
        with self._lock:
            self._context = self._context or self._trusted()
        return http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=self._context)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()


def _filled(answer: http.client.HTTPResponse, room: memoryview) -> bool:
    at = 0
    while at < len(room):
        count = answer.readinto(room[at:])
        if not count:
            return False
        at += count
    return answer.isclosed() or not answer.read()
