"""An engine of trials that ends with the server, and keeps nothing of what was cut off."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.optimization.engines.interface import Engine, Result, Task

__all__ = ["Stopping", "stoppable"]


class Stopping(KeyboardInterrupt):
    """The server stops: what runs ends as if somebody had pressed Ctrl-C, and can go on later."""


@contextmanager
def stoppable(
    name: str, over: threading.Event, *, at_once: int, ray: str | None = None
) -> Iterator[Engine]:
    """An engine whose `run` raises `Stopping` once the event is set.

    Args:
        at_once: Processes of `local`, so that something is left to answer requests with.
        ray: Address of the cluster.
    """
    from modelyard.optimization.engines import engine_named
    from modelyard.optimization.engines.local import LocalEngine

    inner: Engine
    if name == "local":
        inner = LocalEngine(at_once=at_once)
    else:
        inner = engine_named(f"ray@{ray}" if name == "ray" and ray else name)
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if over.wait(0.5):
                inner.cancel()
                return

    thread = threading.Thread(target=watch, name="optimization-stop", daemon=True)
    thread.start()
    try:
        yield _Stoppable(inner, over)
    finally:
        ended.set()
        thread.join()
        inner.close()


class _Stoppable:
    """Another engine, whose trials that were cut off are told to nobody: they run again."""

    def __init__(self, inner: Engine, over: threading.Event) -> None:
        self._inner = inner
        self._over = over
        self.name = inner.name
        self.at_once = inner.at_once

    def run(
        self,
        tasks: Sequence[Task],
        tell: Callable[[int, str, float | None], bool],
        left: Callable[[], bool] = lambda: True,
    ) -> Iterator[Result]:
        """As `Engine.run`."""
        self._check()
        for result in self._inner.run(tasks, tell, left):
            self._check()
            yield result
        self._check()

    def cancel(self) -> None:
        """As `Engine.cancel`."""
        self._inner.cancel()

    def close(self) -> None:
        """As `Engine.close`."""
        self._inner.close()

    def __enter__(self) -> _Stoppable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        if self._over.is_set():
            raise Stopping
