"""What was looked at lately, kept in memory as far as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, for any thread; the one that was not looked at for longest goes first."""

    def __init__(self, room: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        """Nothing yet.

        Args:
            room: What all values weigh at most; a single one may weigh more.
            weigh: What a value weighs; without it, as many values are kept as there is room.
        """
        self._room, self._weigh, self._weight = room, weigh, 0
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            value = self._kept.get(key)
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        with self._lock:
            if (old := self._kept.pop(key, None)) is not None:
                self._weight -= self._weigh(old)
            self._kept[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._room and len(self._kept) > 1:
                self._weight -= self._weigh(self._kept.popitem(last=False)[1])
