"""Tasks in child processes of this machine."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, Self

from modelyard.optimization.engines.interface import NO_TIME, Limits, Result
from modelyard.optimization.engines.worker import RUNNER, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.optimization.engines.interface import Engine, Task

    Tell = Callable[[int, str, float | None], bool]

__all__ = ["LocalEngine"]

_EVERY: Final = 0.1
"""Seconds after which limits are looked at again."""
_MOST: Final = 50
"""Tasks after which a process is replaced: libraries keep memory."""


class LocalEngine:
    """Runs tasks in child processes that are kept for the next tasks, and end with this process.

    A task that crashes, hangs or takes too much is `failed`, with the reason; others go on.
    """

    name = "local"

    def __init__(
        self, limits: Limits | None = None, *, at_once: int | None = None, runner: str = RUNNER
    ) -> None:
        """Nothing is started before there is a task.

        Args:
            at_once: How many processes; None: as many as there are processors for their threads.
            runner: `module:function` that runs a task: `function(task, tell) -> Result`.
        """
        self._limits = limits or Limits()
        self.at_once = at_once or max(1, _processors() // self._limits.threads)
        self._runner = runner
        self._idle: list[Worker] = []
        self._cancelled = threading.Event()
        self._closed = False
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)

    def run(
        self, tasks: Sequence[Task], tell: Tell, left: Callable[[], bool] = lambda: True
    ) -> Iterator[Result]:
        """As `Engine.run`."""
        waiting, busy = deque(tasks), list[Worker]()
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            try:
                while waiting or busy:
                    if self._cancelled.is_set():
                        yield from _ended(busy, waiting, "failed", "cancelled")
                        return
                    if not left():
                        yield from _ended(busy, waiting, "pruned", NO_TIME)
                        return
                    while waiting and len(busy) < self.at_once:
                        worker = self._worker()
                        worker.begin(waiting.popleft())
                        selector.register(worker, selectors.EVENT_READ)
                        busy.append(worker)
                    selector.select(_EVERY)
                    for worker in tuple(busy):
                        for result in self._listened(worker, tell):
                            selector.unregister(worker)
                            busy.remove(worker)
                            self._put_back(worker)
                            yield result
            finally:
                for worker in busy:
                    worker.close()

    def cancel(self) -> None:
        """As `Engine.cancel`."""
        self._cancelled.set()
        try:
            self._rope.send(b"!")
        except OSError:  # closed meanwhile
            return

    def close(self) -> None:
        """End the processes. It may be called again."""
        self._closed = True
        for worker in self._idle:
            worker.close()
        self._idle.clear()
        self._bell.close()
        self._rope.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _worker(self) -> Worker:
        """One that waits, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            worker.close()
        return Worker(self._limits, self._runner)

    def _put_back(self, worker: Worker) -> None:
        if self._closed or not worker.alive or worker.done >= _MOST:
            worker.close()
        else:
            self._idle.append(worker)

    def _listened(self, worker: Worker, tell: Tell) -> Iterator[Result]:
        """The result of what it works on, if it has ended; what it tells goes on to `tell`."""
        trial = -1 if worker.task is None else worker.task.trial
        for heard in worker.heard():
            if isinstance(heard, Result):
                yield heard
                return
            what, score = heard
            give_up = tell(trial, what, score)
            if score is not None:
                worker.answer(give_up=give_up)


def _ended(
    busy: list[Worker], waiting: Sequence[Task], state: Literal["failed", "pruned"], reason: str
) -> Iterator[Result]:
    """Results of all that has not ended; what runs is stopped."""
    trials = [worker.task.trial for worker in busy if worker.task is not None]
    for worker in busy:
        worker.close()
    for trial in (*trials, *(task.trial for task in waiting)):
        yield Result(trial=trial, state=state, reason=reason)


def _processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if TYPE_CHECKING:
    _: type[Engine] = LocalEngine
