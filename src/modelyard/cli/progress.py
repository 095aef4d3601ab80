"""Progress bars on a terminal. rich is loaded only once a call has taken half a second."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import RenderableType
    from rich.progress import Progress as RichProgress
    from rich.progress import Task, TaskID

    from modelyard.core.version import Progress

__all__ = ["Bars"]

PATIENCE = 0.5
"""Seconds without a bar: most calls end before, and need not load rich."""

_COUNTED = frozenset({"evaluate", "explain", "predict"})
"""Phases that count things, and no bytes."""


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
                counts = progress.phase in _COUNTED
                self._bar[progress.phase] = self._rich.add_task(progress.phase, counts=counts)
            bar = self._bar[progress.phase]
            self._rich.update(bar, completed=progress.done, total=progress.total)


def _draw() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class Either(ProgressColumn):
        """Numbers for what is counted, sizes for bytes."""

        def __init__(self, counted: Callable[[Task], str], sized: ProgressColumn) -> None:
            super().__init__()
            self._counted = counted
            self._sized = sized

        def render(self, task: Task) -> RenderableType:
            if task.fields.get("counts"):
                return Text(self._counted(task))
            return self._sized.render(task)

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        Either(_amount, DownloadColumn()),
        Either(_speed, TransferSpeedColumn()),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bars.start()
    return bars


def _amount(task: Task) -> str:
    total = "" if task.total is None else f"/{task.total:,.0f}"
    return f"{task.completed:,.0f}{total}"


def _speed(task: Task) -> str:
    return "" if task.speed is None else f"{task.speed:,.0f}/s"
