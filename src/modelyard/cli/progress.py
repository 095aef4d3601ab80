"""Progress bars on a terminal. rich is loaded only once a call has taken half a second."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from modelyard.core.version import Progress

__all__ = ["Bars"]

PATIENCE = 0.5
"""Seconds without a bar: most calls end before, and need not load rich."""


class Bars:
    """One bar for each phase that a call reports, from any thread; all gone when it ends."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._rich: RichProgress | None = None
        self._bar: dict[str, TaskID] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._rich is not None:
            self._rich.stop()

    def report(self, progress: Progress) -> None:
        with self._lock:
            if self._rich is None:
                if time.monotonic() - self._start < PATIENCE:
                    return
                self._rich = _draw()
            if progress.phase not in self._bar:
                self._bar[progress.phase] = self._rich.add_task(progress.phase)
            bar = self._bar[progress.phase]
            self._rich.update(bar, completed=progress.done, total=progress.total)


def _draw() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bars.start()
    return bars
