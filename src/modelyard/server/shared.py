"""What many streams look at together, and how many of them one may have."""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from modelyard.core.access import Caller
from modelyard.errors import Unavailable

__all__ = ["Shared", "Slot", "sight_of"]

T = TypeVar("T")

_STREAMS: Final = 20
"""Of an account, or of an address without one."""
_DEARER: Final = 10
"""A look holds for so many times what it took: it takes a tenth of a core at most."""
_ENTRIES: Final = 1_000


class Slot:
    """Held by a stream as long as it is there."""

    __slots__ = ("__weakref__",)


class _Entry:
    __slots__ = ("known", "lock", "until", "value")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known = False
        self.until = 0.0
        self.value: Any = None


class Shared:
    """Of one server."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: Counter[str] = Counter()
        self._entries: dict[Hashable, _Entry] = {}

    def slot(self, caller: Caller) -> Slot:
        """One more stream. Unavailable: `too-many-streams`."""
        who = f"account:{caller.id}" if caller.account else f"address:{caller.address}"
        with self._lock:
            if self._open[who] >= _STREAMS:
                raise Unavailable("too-many-streams", "too many listen already", hint="try later")
            self._open[who] += 1
        made = Slot()
        weakref.finalize(made, self._leave, who)
        return made

    def _leave(self, who: str) -> None:
        with self._lock:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    def of(self, key: Hashable, seconds: float, look: Callable[[], T]) -> T:
        """What a look gave that is not older than so many seconds, or than ten times what it took.

        While somebody looks, others are given what was seen before.
        """
        with self._lock:
            if key not in self._entries and len(self._entries) >= _ENTRIES:
                now = time.monotonic()
                self._entries = {k: e for k, e in self._entries.items() if e.until > now}
            entry = self._entries.setdefault(key, _Entry())
        found: T
        if not entry.lock.acquire(blocking=not entry.known):
            found = entry.value
            return found
        try:
            if not entry.known or time.monotonic() >= entry.until:
                begun = time.monotonic()
                entry.value = look()
                now = time.monotonic()
                entry.until, entry.known = now + max(seconds, _DEARER * (now - begun)), True
            found = entry.value
            return found
        finally:
            entry.lock.release()


def sight_of(caller: Caller) -> Hashable:
    """Equal for callers who may see the same."""
    return caller.account is None, caller.grants, caller.ceiling, caller.only
