"""Where a loaded version computes: on the event loop, or in threads that feed it or its worker.

All decide in the same way who is let in: by the rows that wait, and by how long they will take.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError, Unavailable
from modelyard.serving.failures import Overloaded
from modelyard.serving.joining import Waiting, compute_batch, failed, kin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.runtimes.tensors import TensorRuntime
    from modelyard.serving.interface import Feeds, Outputs, Timing

__all__ = ["Inline", "Pace", "Threads", "Tick"]

_SMOOTH = 0.1
"""Weight of a new measure in the mean."""
_NICE = 5
_LONG = 0.02
"""Seconds of one call on the event loop after which a version never computes there again."""
_LONG_NS = int(_LONG * 1e9)
"""Threads that compute give way to the one that answers health checks and refusals."""


class Pace:
    """How much waits, and how fast it gets less."""

    def __init__(self, seconds_per_row: float, queue_rows: int, workers: int) -> None:
        self.waiting = 0
        self._per_row = max(seconds_per_row, 1e-9)
        self._queue_rows = queue_rows
        self._workers = workers

    def alike(self) -> Pace:
        """One for a queue of its own, before which one thread works."""
        return Pace(self._per_row, self._queue_rows, 1)

    def admit(self, rows: int, deadline: float) -> None:
        """Unavailable: `overloaded`."""
        waiting = self.waiting
        if not waiting:
            return
        wait = (waiting + rows) * self._per_row / self._workers
        if waiting + rows > self._queue_rows or time.monotonic() + wait > deadline:
            raise Overloaded(wait)

    def learn(self, batch: Sequence[Waiting], seconds: float) -> None:
        """So long it took to compute these together; who was late already was not computed."""
        rows = sum(one.rows for one in batch if one.error is None)
        if rows:
            self.took(rows, seconds)

    def took(self, rows: int, seconds: float) -> None:
        """So long it took to compute so many rows."""
        self._per_row += _SMOOTH * (seconds / max(rows, 1) - self._per_row)


class Inline:
    """At once on the event loop: for models that are faster than handing over would be.

    Requests of many rows or elements go to a thread, so that nobody waits for them; and all of
    them, once one took long all the same, since what it took may depend on values.

    Args:
        most: Rows that are computed here, and `elements`: of all inputs together.
    """

    def __init__(
        self, runtime: TensorRuntime, pace: Pace, *, most: int, elements: int = 1 << 62
    ) -> None:
        self.mode = "inline"
        self._run = runtime.run
        self._runtime = runtime
        self._most = most
        self._elements = elements
        self._pace = pace
        self._threads: Threads | None = None

    @property
    def waiting(self) -> int:
        return self._threads.waiting if self._threads else 0

    @property
    def pace(self) -> Pace:
        return self._threads.pace if self._threads else self._pace

    def submit(
        self, feeds: Feeds, rows: int, outputs: Sequence[str] | None, deadline: float,
        timing: Timing,
    ) -> Outputs | asyncio.Future[Outputs]:  # fmt: skip
        if rows > self._most or _elements(feeds) > self._elements:
            if self._threads is None:
                self._threads = Threads([self._runtime], self._pace, batch=0)
            return self._threads.submit(feeds, rows, outputs, deadline, timing)
        timing.queued = begun = time.perf_counter_ns()
        timing.batch = rows
        try:
            return self._run(feeds, outputs)
        except ModelyardError:
            raise
        except Exception as error:
            raise failed(error) from None
        finally:
            timing.computed = ended = time.perf_counter_ns()
            if ended - begun > _LONG_NS:
                self.mode, self._most = "thread", -1

    async def close(self) -> None:
        if self._threads is not None:
            await self._threads.close()
        self._runtime.close()


class Tick:
    """On the event loop, with whatever else came in the same turn of it; bounded as `Inline`."""

    def __init__(
        self,
        runtime: TensorRuntime,
        pace: Pace,
        *,
        most: int,
        block: int,
        elements: int = 1 << 62,
    ) -> None:
        self.mode = "tick"
        self._runtime = runtime
        self.pace = pace
        self._most = most
        self._elements = elements
        self._block = block
        self._queue: list[Waiting] = []
        self._threads: Threads | None = None

    @property
    def waiting(self) -> int:
        return self.pace.waiting

    def submit(
        self, feeds: Feeds, rows: int, outputs: Sequence[str] | None, deadline: float,
        timing: Timing,
    ) -> asyncio.Future[Outputs]:  # fmt: skip
        if self.mode != "tick" or rows > self._most or _elements(feeds) > self._elements:
            if self._threads is None:
                self._threads = Threads(
                    [self._runtime], self.pace.alike(), batch=0, block=self._block
                )
            return self._threads.submit(feeds, rows, outputs, deadline, timing)
        self.pace.admit(rows, deadline)
        loop = asyncio.get_running_loop()
        one = Waiting(feeds, rows, outputs, deadline, timing, loop.create_future(), kin_of(feeds))
        if not self._queue:
            loop.call_soon(self._flush)
        self._queue.append(one)
        self.pace.waiting += rows
        return one.future

    def _flush(self) -> None:
        queue, self._queue = self._queue, []
        while queue:
            batch, queue = _taken(queue, self._most)
            begun = time.perf_counter()
            try:
                compute_batch(self._runtime, batch, block=self._block)
            except Exception as error:
                for one in batch:
                    one.error = one.error or failed(error)
            seconds = time.perf_counter() - begun
            if seconds > _LONG:
                self.mode = "thread"
            self.pace.learn(batch, seconds)
            self.pace.waiting -= sum(one.rows for one in batch)
            for one in batch:
                one.tell()

    async def close(self) -> None:
        while self._queue:
            await asyncio.sleep(0)
        if self._threads is not None:
            await self._threads.close()
        self._runtime.close()


def _taken(queue: list[Waiting], most: int) -> tuple[list[Waiting], list[Waiting]]:
    """Requests of the first one's kin, of at most so many rows; and the others."""
    first = queue[0]
    batch, rest, rows = [first], [], first.rows
    for one in queue[1:]:
        if rows + one.rows <= most and one.kin == first.kin:
            batch.append(one)
            rows += one.rows
        else:
            rest.append(one)
    return batch, rest


def _elements(feeds: Feeds) -> int:
    count = 0
    for array in feeds.values():
        count += array.size
    return count


def _lost(batch: Sequence[Waiting]) -> bool:
    """Whether the process that computed died of it, or before."""
    return any(
        isinstance(one.error, Unavailable) and one.error.kind == "model-died" for one in batch
    )


class Threads:
    """Threads that take what waited while they computed: no timer, so an idle one adds no delay.

    With several runtimes (worker processes) each thread has its own; else all share the one.
    """

    def __init__(
        self,
        runtimes: Sequence[TensorRuntime],
        pace: Pace,
        *,
        batch: int,
        block: int = 0,
        threads: int = 1,
        mode: str = "thread",
        died: Callable[[], None] | None = None,
    ) -> None:
        """Start the threads; called on the event loop.

        Args:
            batch: Rows that are computed together; 0 computes each request by itself.
            block: Rows to which fewer are filled up.
            died: Called on the event loop when a worker process is seen to be gone.
        """
        self.mode = mode
        self.pace = pace
        self._batch = batch
        self._block = block
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Waiting] = deque()
        self._ready = threading.Condition()
        self._stopped = False
        self._runtimes = list(runtimes)
        count = self._left = max(threads, len(runtimes))
        self._threads = [
            threading.Thread(
                target=self._work, args=(runtimes[place % len(runtimes)],),
                name=f"serving-{mode}-{place}", daemon=True,
            )
            for place in range(count)
        ]  # fmt: skip
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        return self.pace.waiting

    def submit(
        self, feeds: Feeds, rows: int, outputs: Sequence[str] | None, deadline: float,
        timing: Timing,
    ) -> asyncio.Future[Outputs]:  # fmt: skip
        self.pace.admit(rows, deadline)
        if self._stopped:
            raise Unavailable("not-ready", "this version is not served any more")
        kin = kin_of(feeds) if self._batch else None
        one = Waiting(feeds, rows, outputs, deadline, timing, self._loop.create_future(), kin)
        self.pace.waiting += rows
        with self._ready:
            self._queue.append(one)
            self._ready.notify()
        return one.future

    def _work(self, runtime: TensorRuntime) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while (batch := self._next()) is not None:
            begun = time.perf_counter()
            try:
                compute_batch(runtime, batch, block=self._block)
            except BaseException as error:
                for one in batch:
                    one.error = one.error or failed(error)
            seconds = time.perf_counter() - begun
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._tell, batch, seconds)
            if len(self._runtimes) > 1 and _lost(batch):
                with self._ready:
                    self._left -= 1
                    if self._left:  # the others go on; this one would fail whatever comes
                        return

    def _next(self) -> list[Waiting] | None:
        with self._ready:
            while not self._queue:
                if self._stopped:
                    return None
                self._ready.wait()
            first = self._queue.popleft()
            batch, rows = [first], first.rows
            while self._batch and self._queue:
                one = self._queue[0]
                if rows + one.rows > self._batch or one.kin != first.kin:
                    break
                batch.append(self._queue.popleft())
                rows += one.rows
            return batch

    def _tell(self, batch: list[Waiting], seconds: float) -> None:
        rows = sum(one.rows for one in batch)
        self.pace.waiting -= rows
        self.pace.learn(batch, seconds)
        for one in batch:
            one.tell()
        if self._died is not None and _lost(batch):
            self._died()

    def fail(self, error: ModelyardError) -> None:
        """Answer all that wait with an error: their worker is gone."""
        with self._ready:
            waiting, self._queue = list(self._queue), deque()
        for one in waiting:
            one.error = error
            self.pace.waiting -= one.rows
            one.tell()

    async def close(self) -> None:
        """Let what waits be computed, then end."""
        with self._ready:
            self._stopped = True
            self._ready.notify_all()
        for thread in self._threads:
            while thread.is_alive():
                await asyncio.sleep(0.005)
        for runtime in self._runtimes:
            await asyncio.to_thread(runtime.close)
