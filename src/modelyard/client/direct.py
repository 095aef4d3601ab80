"""Packs read from the store itself, by URLs that the server signed (docs/spec/transfer-1.md, 1.4).

No token goes there, no redirect is followed, and every chunk is checked by its name afterwards.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from modelyard import __version__

if TYPE_CHECKING:
    from modelyard.client.addresses import Address

__all__ = ["Store", "is_taken"]


def is_taken(address: Address, url: str) -> bool:
    """Whether a URL that a server gave may be opened: over TLS, if the server is."""
    try:
        parts = urlsplit(url)
        secure = ("https",) if address.scheme == "https" else ("https", "http")
        return parts.scheme in secure and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


class Store:
    """What reads by URLs. Safe for many threads. Once one fails, none is tried for a while."""

    def __init__(self, pause: float = 300.0) -> None:
        self._client: httpx2.Client | None = None
        self._pause = pause
        self._not_before = 0.0
        self._lock = threading.Lock()

    def read(self, url: str, start: int, end: int, room: memoryview) -> bool:
        """Fill memory with a range of an object. False if that failed, for whatever reason."""
        if time.monotonic() < self._not_before:
            return False
        try:
            if self._filled(url, start, end, room):
                return True
        except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError, OSError):
            pass  # the server reads for us
        self._not_before = time.monotonic() + self._pause
        return False

    def close(self) -> None:
        with self._lock:
            self._not_before = float("inf")
            if self._client is not None:
                self._client.close()

    def _filled(self, url: str, start: int, end: int, room: memoryview) -> bool:
        headers = {"range": f"bytes={start}-{end - 1}"}
        with self._opened().stream("GET", url, headers=headers) as answer:
            said = answer.headers.get("content-range", "")
            if answer.status_code != 206 or not said.startswith(f"bytes {start}-{end - 1}/"):
                return False
            at = 0
            for piece in answer.iter_raw():
                if len(piece) > len(room) - at:
                    return False
                room[at : at + len(piece)] = piece
                at += len(piece)
            return at == len(room)

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(
                    headers={
                        "user-agent": f"modelyard/{__version__}", "accept-encoding": "identity"
                    },
                    timeout=httpx2.Timeout(30.0, connect=4.0),
                    follow_redirects=False,
                )  # fmt: skip
            return self._client
