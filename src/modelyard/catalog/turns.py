"""Write transactions of one process that would wait for one another: those that wait go together.

A database with one writer has every transaction wait for the disk behind the one before it. Here
what came meanwhile is done in one transaction, which waits for the disk once.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.databases import Mode

__all__ = ["Turn", "Turns"]

_TOGETHER = ("write", "soft")
_MOST = 32
"""Works of one transaction: the first of them waits for the last."""


class Turn:
    """One work that is to be done, and how it ended."""

    def __init__(self, work: Callable[[sa.Connection], Any], mode: Mode) -> None:
        self.work = work
        self.mode = mode
        self.is_over = False
        self.told = threading.Event()
        self._result: Any = None
        self._error: Exception | None = None

    def end(self, call: Callable[[], Any]) -> None:
        """It ends as `call` does."""
        try:
            self._result = call()
        except Exception as error:  # for the thread that waits for it
            self._error = error
        self.is_over = True

    def failed(self, error: Exception) -> None:
        self._error, self.is_over = error, True

    def outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


class Turns:
    """A queue whose first thread works for those behind it.

    Args:
        run: Ends every turn that it is given; in order, and all in one transaction if it can.
    """

    def __init__(self, run: Callable[[Sequence[Turn]], None]) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._waiting: deque[Turn] = deque()
        self._is_busy = False
        self._leader = 0

    def take(self, turn: Turn) -> Any:
        """Wait until it is done, by this thread or another one."""
        if self._leader == threading.get_ident():
            raise AssertionError("a write transaction within another one")
        with self._lock:
            self._waiting.append(turn)
            leads, self._is_busy = not self._is_busy, True
        if not leads:
            turn.told.wait()
        if not turn.is_over:
            self._lead(turn)
        return turn.outcome()

    def _lead(self, turn: Turn) -> None:
        with self._lock:
            group = self._group()
            self._leader = threading.get_ident()
        try:
            self._run(group)
        finally:
            left = [each for each in group if not each.is_over and each is not turn]
            with self._lock:
                self._leader = 0
                self._waiting.extendleft(reversed(left))  # this thread was interrupted
                following = self._waiting[0] if self._waiting else None
                self._is_busy = following is not None
            if following is not None:
                following.told.set()
            for each in group:
                if each.is_over:
                    each.told.set()

    def _group(self) -> list[Turn]:
        """The first that waits, and those behind it that may go with it."""
        group = [self._waiting.popleft()]
        while (
            self._waiting
            and len(group) < _MOST
            and {group[0].mode, self._waiting[0].mode} <= set(_TOGETHER)
        ):
            group.append(self._waiting.popleft())
        return group
