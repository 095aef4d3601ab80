"""Signs of life of an optimization, and how far it is, for all who look at it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from modelyard.errors import ModelyardError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.optimization import Optimization, Trial
    from modelyard.core.optimizing import Optimizations
    from modelyard.optimization.engines.interface import Engine

__all__ = ["Beat", "beating"]

_BEAT: Final = 5.0
"""Seconds between signs of life."""
_AWAY: Final = 300.0
"""Seconds that a yard may be away before it is given up."""
_AGAIN: Final = 2.0


class Keeping(Protocol):
    """A yard that keeps optimizations."""

    @property
    def optimizations(self) -> Optimizations: ...


class Beat:
    """Signs of life from a thread, and the last that was said."""

    def __init__(self, yard: Keeping, last: Optimization) -> None:
        self._yard = yard
        self._lock = threading.Lock()
        self.last = last
        self.engine: Engine | None = None
        self._cancelled = False
        self._waiting: dict[int, Trial] = {}
        """Trials that could not be kept when they were said."""
        self._heard = time.monotonic()

    def cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self._cancelled

    def say(
        self, found: Optimization, trials: Sequence[Trial] = (), *, surely: bool = False
    ) -> None:
        """Keep how far it is. A server that is away for a moment is told later.

        Args:
            surely: Wait until it is kept, for minutes.

        Raises:
            Unavailable: nothing could be kept for minutes.
        """
        while not self._said(found, trials) and surely:
            time.sleep(_AGAIN)
        self._pass_on()

    def again(self) -> None:
        """Say the last once more."""
        self._said(None, ())
        self._pass_on()

    def _pass_on(self) -> None:
        if self._cancelled and self.engine is not None:
            self.engine.cancel()

    def _said(self, found: Optimization | None, trials: Sequence[Trial]) -> bool:
        with self._lock:  # the last is read inside: another thread may be about to say a newer one
            self.last = found = found or self.last
            self._waiting |= {trial.number: trial for trial in trials}
            try:
                goes_on = self._yard.optimizations.keep(found, tuple(self._waiting.values()))
            except Unavailable:
                if time.monotonic() - self._heard > _AWAY:
                    raise
                return False
            self._waiting.clear()
            self._heard = time.monotonic()
            self._cancelled = self._cancelled or not goes_on
            return True


@contextmanager
def beating(yard: Keeping, found: Optimization) -> Iterator[Beat]:
    beat, ended = Beat(yard, found), threading.Event()

    def work() -> None:
        while not ended.wait(_BEAT):
            try:
                beat.again()
            except ModelyardError:
                continue  # a server may be away for a moment; who waits too long is taken for dead

    thread = threading.Thread(target=work, name="optimization-beat", daemon=True)
    thread.start()
    try:
        yield beat
    finally:
        ended.set()
        thread.join()
