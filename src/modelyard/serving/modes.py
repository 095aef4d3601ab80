"""How a version is run: measured when it is loaded, so that nobody has to set a knob.

| one row takes | rows together | mode |
|---|---|---|
| at most 100 us, here | no matter | `inline` |
| longer, here | pay, and take at most 2 ms | `tick` |
| longer, here | pay | `thread`: one, that takes what waits |
| longer, here | don't pay | `pool`: one thread for each core, requests by themselves |
| in a worker | as they pay | `process` |

Rows are put together only if a row's answer is, bit for bit, the same whoever else asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.serving.executors import Inline, Pace, Threads, Tick
from modelyard.serving.joining import run

if TYPE_CHECKING:
    from modelyard.runtimes.tensors import TensorRuntime
    from modelyard.serving.interface import Array, Executor, Feeds, Outputs, Wanted

__all__ = ["Measured", "executor_for", "measure"]

_INLINE: Final = 100e-6
_TICK: Final = 2e-3
_TOGETHER: Final = 16
_SIZES: Final = (1, 2, 3, 5, 8, 16, 17, 31, 64)
"""Numbers of rows that are tried: libraries change their ways at powers of two."""
_PAYS: Final = 0.75
"""Rows together must take at most this share of their time one by one."""
_PATIENCE: Final = 2.0
"""Seconds that measuring may take; a slow model is tried with fewer sizes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen when a version was tried."""

    one: float
    """Seconds for a row."""
    many: float
    """Seconds for 16 rows; 16 times `one` where they can't be put together."""
    same: bool
    """Whether a row's answer does not depend on the rows beside it."""
    pad: bool
    """A lone row is asked for twice, to be computed as among others."""

    @property
    def pays(self) -> bool:
        return self.same and self.many < _PAYS * _TOGETHER * self.one


def executor_for(
    runtimes: TensorRuntime | Sequence[TensorRuntime],
    example: Feeds,
    wanted: Wanted,
    *,
    died: Callable[[], None] | None = None,
) -> Executor:
    """Measure, and choose. Called on the event loop.

    Args:
        runtimes: One, or several equal ones in workers.
        example: Some rows that the version takes.
        died: Called on the event loop when a worker is seen to be gone.
    """
    several = list(runtimes) if isinstance(runtimes, Sequence) else [runtimes]
    return build(several, measure(several[0], example), wanted, died=died)


def build(
    runtimes: Sequence[TensorRuntime],
    measured: Measured,
    wanted: Wanted,
    *,
    died: Callable[[], None] | None = None,
) -> Executor:
    """The executor for what was measured."""
    runtime = runtimes[0]
    per_row = min(measured.one, measured.many / _TOGETHER) if measured.pays else measured.one
    cores = os.cpu_count() or 1
    pad = measured.pad and measured.pays
    if runtime.pid is not None:
        pace = Pace(per_row, wanted.queue_rows, len(runtimes))
        batch = _largest(measured) if measured.pays else 0
        return Threads(runtimes, pace, batch=batch, pad=pad, mode="process", died=died)
    most = max(1, int(_TICK / per_row))
    if measured.one <= _INLINE:
        pace = Pace(per_row, wanted.queue_rows, 1)
        return Inline(runtime, pace, most=most, pad=False)
    if measured.pays and measured.many <= _TICK:
        pace = Pace(per_row, wanted.queue_rows, 1)
        return Tick(runtime, pace, most=max(most, _TOGETHER), pad=pad)
    if measured.pays:
        pace = Pace(per_row, wanted.queue_rows, 1)
        return Threads([runtime], pace, batch=_largest(measured), pad=pad)
    threads = cores if runtime.parallel else 1
    pace = Pace(per_row, wanted.queue_rows, threads)
    mode = "pool" if threads > 1 else "thread"
    return Threads([runtime], pace, batch=0, pad=False, threads=threads, mode=mode)


def measure(runtime: TensorRuntime, example: Feeds) -> Measured:
    """Try a version with its example, alone and among others."""
    begun = time.perf_counter()
    first = _rows(example, 1, 0) if runtime.rows else example
    one = _time(runtime, first, begun)
    if not runtime.rows or not example:
        return Measured(one, one * _TOGETHER, same=False, pad=False)
    try:
        many = _time(runtime, _rows(example, _TOGETHER, 0), begun)
        if many >= _PAYS * _TOGETHER * one:
            return Measured(one, many, same=False, pad=False)
        same, pad = _is_same(runtime, example, begun)
    except Exception:  # it takes one row at a time
        return Measured(one, one * _TOGETHER, same=False, pad=False)
    if pad:
        one = _time(runtime, _rows(example, 2, 0), begun)
    return Measured(one, many, same=same, pad=pad)


def _largest(measured: Measured) -> int:
    """Rows of one batch: what takes a quarter of a second, but no more than was tried a lot."""
    return max(_TOGETHER, min(1024, int(0.25 * _TOGETHER / max(measured.many, 1e-6))))


def _time(runtime: TensorRuntime, feeds: Feeds, begun: float) -> float:
    """Seconds of a call: the best of some, since other work only makes it slower."""
    best = float("inf")
    for count in range(20):
        start = time.perf_counter()
        runtime.run(feeds)
        best = min(best, time.perf_counter() - start)
        if count and time.perf_counter() - begun > _PATIENCE:
            break
    return best


def _is_same(runtime: TensorRuntime, example: Feeds, begun: float) -> tuple[bool, bool]:
    """Whether rows are answered alike in any company; and whether only lone ones are not."""
    count = max(_SIZES)
    feeds = _rows(example, count, 7)
    among = runtime.run(feeds)
    if any(len(array) != count for array in among.values()):
        return False, False
    pad = False
    for size in _SIZES:
        start = (size * 5) % (count - size + 1)
        part = {name: array[start : start + size] for name, array in feeds.items()}
        wanted = {name: array[start : start + size] for name, array in among.items()}
        if not _equal(run(runtime, part, size, None, pad=pad), wanted):
            if size > 1 or not _equal(run(runtime, part, size, None, pad=True), wanted):
                return False, False
            pad = True
        if time.perf_counter() - begun > _PATIENCE:
            break
    return True, pad


def _equal(found: Outputs, wanted: Outputs) -> bool:
    return found.keys() == wanted.keys() and all(
        _bits(found[name]) == _bits(array) and found[name].shape == array.shape
        for name, array in wanted.items()
    )


def _bits(array: Array) -> object:
    return array.tolist() if array.dtype.kind == "O" else array.tobytes()


def _rows(example: Feeds, count: int, seed: int) -> dict[str, Array]:
    """So many rows like those of the example: with a seed, fractions are moved a little."""
    noise = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name, array in example.items():
        rows = np.resize(np.arange(len(array)), count)
        more = array[rows]
        if seed and more.dtype.kind == "f":
            more = (more * noise.uniform(0.9, 1.1, more.shape)).astype(more.dtype)
        found[name] = more
    return found
