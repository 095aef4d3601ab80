"""Asks the replicas of one version: requests that come together travel together.

A call to a replica costs about a millisecond, whatever it carries. So few calls are under way at
once, and what arrives meanwhile goes with the next. Each request is still computed as the replica
sees fit: travelling together changes no bit of an answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modelyard.core.extras import need
from modelyard.errors import ModelyardError, Unavailable
from modelyard.serving.failures import Late, Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.serving.executors import Pace
    from modelyard.serving.interface import Feeds, Outputs, Timing

__all__ = ["RayExecutor", "Reply", "Request"]

Request = tuple["dict[str, Any]", int, "tuple[str, ...] | None", float]
"""Feeds, rows, wanted outputs, and the seconds that are left."""
Reply = tuple["Outputs | ModelyardError", int, int]
"""Outputs or what went wrong, the nanoseconds it was computed for, and the rows of its batch."""

_MOST: Final = 64
"""Requests of one call."""
_OURS: Final[dict[str, Callable[[], ModelyardError]]] = {
    "overloaded": lambda: Overloaded(1),
    "deadline": Late,
}
"""Errors with a class of their own here, which do not travel."""
_MOST_BYTES: Final = 8 << 20
_BY_REFERENCE: Final = 512 << 10
"""Larger calls go through Ray's object store, which has no limit on the size of a message."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """One request, until it is answered."""

    feeds: Feeds
    rows: int
    size: int
    outputs: tuple[str, ...] | None
    deadline: float
    timing: Timing
    future: asyncio.Future[Outputs]
    alarm: asyncio.TimerHandle | None = None


class RayExecutor:
    """`Executor` over the handle of a Serve application. Used on one event loop."""

    mode = "ray"

    def __init__(self, handle: Any, *, lanes: int, pace: Pace) -> None:
        self.pace = pace
        self._small = handle.options(method_name="ask", _by_reference=False)
        self._large = handle.options(method_name="ask")
        self._lanes = lanes
        self._queue: deque[_Waiting] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._flushing = False
        self._closed = False

    @property
    def waiting(self) -> int:
        """Rows that wait or are computed."""
        return self.pace.waiting

    def submit(
        self, feeds: Feeds, rows: int, outputs: Sequence[str] | None, deadline: float,
        timing: Timing,
    ) -> asyncio.Future[Outputs]:  # fmt: skip
        """As `interface.Executor` has it."""
        if self._closed:
            raise Unavailable("not-ready", "this version is not served any more")
        left = deadline - time.monotonic()
        if left <= 0:
            raise Late()
        self.pace.admit(rows, deadline)
        loop = asyncio.get_running_loop()
        size = sum(array.nbytes for array in feeds.values())
        wanted = tuple(outputs) if outputs is not None else None
        each = _Waiting(feeds, rows, size, wanted, deadline, timing, loop.create_future())
        each.alarm = loop.call_later(left, _expire, each.future)
        self.pace.waiting += rows
        self._queue.append(each)
        if not self._flushing and len(self._calls) < self._lanes:
            self._flushing = True
            loop.call_soon(self._flush)
        return each.future

    async def close(self) -> None:
        """Answer what is under way. Idempotent."""
        self._closed = True
        self._flush()
        while self._calls:
            await asyncio.wait(self._calls)

    def _flush(self) -> None:
        self._flushing = False
        while self._queue and len(self._calls) < self._lanes:
            if bundle := self._take():
                task = asyncio.get_running_loop().create_task(self._call(bundle))
                self._calls.add(task)
                task.add_done_callback(self._done)

    def _take(self) -> list[_Waiting]:
        """The next that travel together; who is answered already (too late) stays behind."""
        bundle: list[_Waiting] = []
        size = 0
        while self._queue and len(bundle) < _MOST:
            each = self._queue[0]
            if bundle and size + each.size > _MOST_BYTES:
                break
            self._queue.popleft()
            if each.future.done():
                self._settle(each)
                continue
            bundle.append(each)
            size += each.size
        return bundle

    async def _call(self, bundle: list[_Waiting]) -> None:
        now = time.monotonic()
        asked: list[Request] = [
            (dict(each.feeds), each.rows, each.outputs, each.deadline - now) for each in bundle
        ]
        size = sum(each.size for each in bundle)
        handle = self._large if size > _BY_REFERENCE else self._small
        latest = max(each.deadline for each in bundle)
        try:
            replies: list[Reply] = await asyncio.wait_for(handle.remote(asked), latest - now + 1)
            self.pace.took(sum(each.rows for each in bundle), time.monotonic() - now)
        except Exception as error:
            failure = failure_of(error)
            replies = [(failure, 0, 1)] * len(bundle)
        for each, (found, computed, batch) in zip(bundle, replies, strict=True):
            self._settle(each)
            timing = each.timing
            timing.computed = time.perf_counter_ns()
            timing.queued, timing.batch = timing.computed - computed, batch
            if each.future.done():
                continue
            if isinstance(found, ModelyardError):
                make = _OURS.get(found.kind)
                each.future.set_exception(make() if make else found)
            else:
                each.future.set_result(found)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._flush()

    def _settle(self, each: _Waiting) -> None:
        self.pace.waiting -= each.rows
        if each.alarm is not None:
            each.alarm.cancel()


def _expire(future: asyncio.Future[Outputs]) -> None:
    if not future.done():
        future.set_exception(Late())


def failure_of(error: Exception) -> ModelyardError:
    """What Ray said, in our words."""
    rays: Any = need("ray.exceptions", "ray")
    serves: Any = need("ray.serve.exceptions", "ray")
    if isinstance(error, serves.BackPressureError):
        return Overloaded(1)
    if isinstance(error, TimeoutError):
        return Late()
    cause = error.as_instanceof_cause() if isinstance(error, rays.RayTaskError) else error
    if isinstance(cause, ModelyardError):
        return cause
    if isinstance(error, rays.RayTaskError):
        return Unavailable("model-failed", f"the replica failed: {type(cause).__name__}")
    if isinstance(error, rays.RayActorError):
        return Unavailable(
            "model-died", "the replica that computed this ended",
            hint="try again: Ray starts another",
        )  # fmt: skip
    return Unavailable("model-died", f"Ray can't be asked: {type(error).__name__}")
