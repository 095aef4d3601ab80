"""The engine of one machine: versions in this process, or in worker processes beside it."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from modelyard.core.deployment import ServedVersion
from modelyard.errors import Unavailable
from modelyard.serving.executors import Threads
from modelyard.serving.interface import Served
from modelyard.serving.rooms import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.registry.desk import Desk
    from modelyard.serving.interface import Feeds, Outputs, Timing, Wanted
    from modelyard.serving.loading import Opened, Tried

__all__ = ["Embedded"]

_LOADS = 2
"""At once: more would only make each of them, and the requests meanwhile, slower."""
_TRIED = 2000
"""Versions of which is remembered how they answered when they were loaded first."""
_PATIENCE = 2.0
"""Seconds that a worker has to end, once nobody waits for it any more; then it is killed."""
_CLOSING = 5.0


@dataclass(slots=True, eq=False)
class _Held:
    """What is loaded, with what must be let go in the end."""

    wanted: Wanted
    opened: Opened
    served: Served
    watched: list[int] = field(default_factory=list)
    """Descriptors that tell when a worker ends."""
    left: int = 0
    """Workers that live."""
    draining: bool = False
    freed: asyncio.Task[None] | None = None


class Embedded:
    """`Engine` for versions of a yard. All of its methods are called on one event loop.

    Args:
        desk: Of the yard whose versions it loads.
        died: Called with what lost a worker, and how many are left.
    """

    name = "embedded"

    def __init__(
        self, desk: Desk, *, died: Callable[[Served, int], None] = lambda served, left: None
    ) -> None:
        self._desk = desk
        self.died = died
        self._threads = ThreadPoolExecutor(_LOADS, "yard-load")
        self._opening: set[Future[Opened]] = set()
        self._loading: dict[Wanted, asyncio.Task[Served]] = {}
        self._held: dict[Served, _Held] = {}
        self._tried: dict[Wanted, Tried] = {}

    async def apply(self, wanted: Wanted) -> Served:
        """As `Engine.apply`: what is loaded already, or is being loaded, is not loaded again."""
        for held in self._held.values():
            whole = held.left == len(held.opened.pids)
            if held.wanted == wanted and whole and not held.draining:
                return held.served
        task = self._loading.get(wanted)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._load(wanted))
            self._loading[wanted] = task
            task.add_done_callback(partial(self._loaded, wanted))
        return await asyncio.shield(task)

    def infer(
        self, served: Served, feeds: Feeds, rows: int, outputs: Sequence[str] | None,
        deadline: float, timing: Timing,
    ) -> Outputs | asyncio.Future[Outputs]:  # fmt: skip
        return served.executor.submit(feeds, rows, outputs, deadline, timing)

    def status(self) -> tuple[ServedVersion, ...]:
        loading = (
            ServedVersion(model=w.model, number=w.number, commit=w.commit, state="loading")
            for w in self._loading
        )
        held = (
            ServedVersion(
                model=h.served.model, number=h.served.number, commit=h.served.commit,
                state="draining" if h.draining else "ready", mode=h.served.executor.mode,
                reason=h.opened.tried.note, memory=h.served.memory,
                waiting=h.served.executor.waiting,
            )
            for h in self._held.values()
        )  # fmt: skip
        return (*loading, *held)

    def note(self, served: Served) -> str | None:
        """What people should know of how it answers."""
        held = self._held.get(served)
        return held.opened.tried.note if held else None

    async def drain(self, served: Served, seconds: float) -> None:
        held = self._held.get(served)
        if held is None:
            return
        if held.freed is None:
            held.draining = True
            held.freed = asyncio.get_running_loop().create_task(self._free(held, seconds))
        await asyncio.shield(held.freed)

    @property
    def busy(self) -> bool:
        """Whether threads still load or compute, after `close`: nothing but the end of the process
        ends them."""
        return bool(self._held) or not all(future.done() for future in self._opening)

    async def close(self) -> None:
        """Free everything. What is being loaded is not waited for: it may take minutes."""
        for task in list(self._loading.values()):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        drains = [asyncio.create_task(self.drain(served, 0)) for served in list(self._held)]
        if drains:
            await asyncio.wait(drains, timeout=_CLOSING)

    async def _load(self, wanted: Wanted) -> Served:
        from modelyard.serving.loading import open_wanted
        from modelyard.serving.modes import build

        loop = asyncio.get_running_loop()
        opening = self._threads.submit(open_wanted, self._desk, wanted, self._tried.get(wanted))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        try:
            opened = await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_unwanted)
            raise
        if not self._tried:
            self._threads.submit(sweep)
        if len(self._tried) >= _TRIED:
            self._tried.clear()
        self._tried[wanted] = opened.tried
        runtime = opened.runtimes[0]
        executor = build(opened.runtimes, opened.tried.measured, wanted)
        served = Served(
            opened.model, opened.number, opened.commit, runtime.framework, runtime.platform,
            runtime.inputs, runtime.outputs, runtime.rows, runtime.columns, executor,
            opened.memory, opened.tried.example, getattr(runtime, "classes", None),
        )  # fmt: skip
        served.free = partial(self.drain, served, 0)
        held = _Held(wanted, opened, served)
        self._held[served] = held
        self._watch(held, loop)
        return served

    def _loaded(self, wanted: Wanted, task: asyncio.Task[Served]) -> None:
        self._loading.pop(wanted, None)
        if not task.cancelled():
            task.exception()  # whoever waited was told; nobody may have

    def _watch(self, held: _Held, loop: asyncio.AbstractEventLoop) -> None:
        """See at once when a worker ends, also while nobody asks it anything."""
        held.left = len(held.opened.pids)
        for pid in held.opened.pids:
            if not hasattr(os, "pidfd_open"):  # who asks next will see
                continue
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                loop.call_soon(self._worker_ended, held)
                continue
            except OSError:
                continue
            held.watched.append(descriptor)
            loop.add_reader(descriptor, self._ended, held, descriptor, loop)

    def _ended(self, held: _Held, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(descriptor)
        if descriptor in held.watched:
            held.watched.remove(descriptor)
            os.close(descriptor)
            self._worker_ended(held)

    def _worker_ended(self, held: _Held) -> None:
        held.left -= 1
        executor: object = held.served.executor
        if not held.left and isinstance(executor, Threads):
            executor.fail(Unavailable("model-died", "the model's process ended"))
        if not held.draining:
            self.died(held.served, held.left)

    async def _free(self, held: _Held, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        served = held.served
        while (served.under_way or served.executor.waiting) and loop.time() < end:
            await asyncio.sleep(0.005)
        closing = loop.create_task(served.executor.close())
        try:
            await asyncio.wait([closing], timeout=_PATIENCE)
            if not closing.done():  # it hangs, and so would whoever waits for it
                for descriptor in held.watched:
                    with suppress(OSError):
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            await closing
        finally:
            while held.watched:
                descriptor = held.watched.pop()
                loop.remove_reader(descriptor)
                os.close(descriptor)
            await loop.run_in_executor(None, held.opened.close)
            self._held.pop(served, None)


def _unwanted(opening: Future[Opened]) -> None:
    """Free what was loaded for nobody."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
