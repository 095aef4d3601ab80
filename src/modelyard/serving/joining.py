"""Requests computed together: joined by rows, and split again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput, ModelyardError, Unavailable
from modelyard.serving.failures import Late

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from modelyard.runtimes.tensors import TensorRuntime
    from modelyard.serving.interface import Feeds, Outputs, Timing

__all__ = ["Waiting", "compute", "compute_batch", "kin_of"]


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits to be computed."""

    feeds: Feeds
    rows: int
    outputs: Sequence[str] | None
    deadline: float
    timing: Timing
    future: asyncio.Future[Outputs]
    kin: Any
    """Requests of equal kin may be joined."""
    result: Outputs | None = None
    error: BaseException | None = None

    def tell(self) -> None:
        """Hand the result to who waits; on the event loop."""
        if self.future.done():  # its client is gone, or its worker died
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            assert self.result is not None
            self.future.set_result(self.result)


_HOPELESS = ("model-died", "model-timeout")
"""What no other request of a batch would fare better with."""
_GRACE = 5.0
"""Seconds for which a worker may go on though nobody waits: it may be done soon."""


def kin_of(feeds: Feeds) -> Any:
    """Names, dtypes and all sides but the first. The same text width is no matter: text is
    objects."""
    return tuple((name, a.dtype, a.shape[1:]) for name, a in feeds.items())


def compute(runtime: TensorRuntime, one: Waiting, block: int = 0) -> None:
    """Compute a request by itself, and keep what came of it."""
    timing = one.timing
    timing.queued = time.perf_counter_ns()
    timing.batch = one.rows
    if time.monotonic() > one.deadline:
        one.error = Late()
        timing.computed = timing.queued
        return
    try:
        one.result = run(runtime, one.feeds, one.rows, one.outputs, block=block, until=one.deadline)
    except Exception as error:
        one.error = error if isinstance(error, ModelyardError) else failed(error)
    timing.computed = time.perf_counter_ns()


def run(
    runtime: TensorRuntime,
    feeds: Feeds,
    rows: int,
    outputs: Sequence[str] | None,
    *,
    block: int,
    until: float | None = None,
) -> Outputs:
    """Ask the runtime.

    Args:
        block: Fewer rows than so many are filled up to it: libraries of linear algebra add in
            another order when there are more rows, and an answer must not depend on who else asks.
        until: When nobody waits any more (monotonic): a worker that takes much longer is ended.
    """
    limit = None if until is None else max(0.0, until - time.monotonic()) + _GRACE
    if not 0 < rows < block:
        return runtime.run(feeds, outputs, limit)
    filled = {
        name: np.concatenate((array, np.broadcast_to(array[-1:], (block - rows, *array.shape[1:]))))
        for name, array in feeds.items()
    }
    found = runtime.run(filled, outputs, limit)
    if any(len(array) != block for array in found.values()):
        raise InvalidInput("bad-rows", "the model gave another number of rows than it got")
    return {name: array[:rows] for name, array in found.items()}


def compute_batch(runtime: TensorRuntime, batch: Sequence[Waiting], *, block: int) -> None:
    """Compute requests of one kin together, each with its own result."""
    if len(batch) == 1:
        compute(runtime, batch[0], block)
        return
    begun = time.perf_counter_ns()
    now = time.monotonic()
    alive = []
    for one in batch:
        one.timing.queued = begun
        if now > one.deadline:
            one.error, one.timing.computed = Late(), begun
        else:
            alive.append(one)
    if not alive:
        return
    rows = sum(one.rows for one in alive)
    try:
        names = list(alive[0].feeds)
        joined = {name: np.concatenate([one.feeds[name] for one in alive]) for name in names}
        until = max(one.deadline for one in alive)
        found = run(runtime, joined, rows, _wanted(alive), block=block, until=until)
        if any(len(array) != rows for array in found.values()):
            raise InvalidInput("bad-rows", "the model gave another number of rows than it got")
    except Unavailable as error:
        if error.kind not in _HOPELESS:  # one request may be to blame: each by itself
            for one in alive:
                compute(runtime, one, block)
            return
        ended = time.perf_counter_ns()
        for one in alive:
            one.error, one.timing.computed = error, ended
        return
    except Exception:  # one request may be to blame: each by itself
        for one in alive:
            compute(runtime, one, block)
        return
    ended = time.perf_counter_ns()
    start = 0
    for one in alive:
        end = start + one.rows
        wanted = found if one.outputs is None else one.outputs
        one.result = {name: found[name][start:end] for name in wanted}
        one.timing.computed = ended
        one.timing.batch = rows
        start = end


def _wanted(batch: Sequence[Waiting]) -> list[str] | None:
    """All outputs that somebody wants: what nobody asked for need not be computed."""
    names: dict[str, None] = {}
    for one in batch:
        if one.outputs is None:
            return None
        names.update(dict.fromkeys(one.outputs))
    return list(names)


def failed(error: BaseException) -> ModelyardError:
    """What a library raised, for the caller: its class only; a message may hold anything."""
    return Unavailable("model-failed", f"the model failed: {type(error).__name__}")
