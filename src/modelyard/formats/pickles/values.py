"""What stands on the simulated stack: just enough to know names and arrays.

Text is kept as the bytes of the file, numbers as numbers, lists and tuples as such; everything
else is one of the classes below or `OTHER`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["OTHER", "Blob", "Call", "Global", "Pairs", "Persistent"]

Value = Any


class _Other:
    __slots__ = ()


OTHER = _Other()
"""A value that nothing here needs to know."""


class Global:
    """A name that the pickle would import."""

    __slots__ = ("name", "offset", "role")

    def __init__(self, name: str, offset: int, role: str) -> None:
        self.name = name
        self.offset = offset
        self.role = role


class Call:
    """What the pickle would build by calling something: the callee, its arguments, its state."""

    __slots__ = ("args", "func", "items", "known", "place", "state")

    def __init__(self, func: Value, args: Value) -> None:
        self.func = func
        self.args = args
        self.state: Value = None
        self.items: list[Value] | None = None
        self.place: tuple[int, int] | None = None
        self.known: Value = None
        """What was made of it before; forgotten when its state is set anew."""


class Blob:
    """Bytes inside the pickle that were not read: where they lie."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


class Pairs(list[Value]):
    """A dict as keys and values in turn: keys need not be hashable to be looked at."""

    __slots__ = ()

    def get(self, key: bytes) -> Value:
        """The last value given for a key, or None."""
        for index in range(len(self) - 2, -1, -2):
            if self[index] == key:
                return self[index + 1]
        return None


class Persistent:
    """An object that the pickle keeps elsewhere: torch's storages."""

    __slots__ = ("pid",)

    def __init__(self, pid: Value) -> None:
        self.pid = pid
