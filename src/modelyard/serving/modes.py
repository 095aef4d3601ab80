"""How a version is run: measured when it is loaded, so that nobody has to set a knob.

| one row takes | rows together | mode |
|---|---|---|
| at most 100 us, here | no matter | `inline` |
| longer, here | pay, and take at most 2 ms | `tick` |
| longer, here | pay | `thread`: one, that takes what waits |
| longer, here | don't pay | `pool`: one thread for each core, requests by themselves |
| in a worker | as they pay | `process` |

Rows are put together only if a row's answer is, bit for bit, the same whoever else asks. Libraries
of linear algebra add in another order when there are more rows; where that shows, rows are computed
in blocks of one size, filled up if fewer ask, if a block takes hardly longer than a row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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
_BLOCKS: Final = (64, 48, 32, 24, 16, 12, 8)
"""Rows of a block, where a row's answer depends on how many are computed with it."""
_PAYS: Final = 0.75
"""Rows together must take at most this share of their time one by one."""
_DEARER: Final = 1.15
"""A block may take so many times the time of a row."""
_PATIENCE: Final = 2.0
"""Seconds that measuring may take; a slow model is tried with fewer sizes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen when a version was tried."""

    one: float
    """Seconds for a row."""
    many: float
    """Seconds for 16 rows, or for a block; 16 times `one` where they can't be put together."""
    together: int = 0
    """Rows that may be computed together; 0 if an answer would depend on who else asks."""
    block: int = 0
    """Fewer rows than so many are filled up to it; 0 where that changes nothing."""
    elements: int = 1 << 30
    """Of all inputs of a row that was tried; of the whole example where there are no rows."""

    @property
    def per_row(self) -> float:
        """Seconds, if there is enough to do."""
        return self.many / (self.block or _TOGETHER) if self.together else self.one


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
    together, block = measured.together, measured.block
    cores = os.cpu_count() or 1
    if runtime.pid is not None:
        pace = Pace(measured.per_row, wanted.queue_rows, len(runtimes))
        return Threads(runtimes, pace, batch=together, block=block, mode="process", died=died)
    pace = Pace(measured.per_row, wanted.queue_rows, 1)
    if measured.one <= _INLINE:
        fastest = min(measured.one, measured.many / _TOGETHER)
        most = max(1, int(_TICK / fastest))
        return Inline(runtime, pace, most=most, elements=most * measured.elements)
    if together and measured.many <= _TICK:
        elements = together * measured.elements
        return Tick(runtime, pace, most=together, block=block, elements=elements)
    if together:
        return Threads([runtime], pace, batch=together, block=block)
    threads = cores if runtime.parallel else 1
    pace = Pace(measured.one, wanted.queue_rows, threads)
    mode = "pool" if threads > 1 else "thread"
    return Threads([runtime], pace, batch=0, threads=threads, mode=mode)


def measure(runtime: TensorRuntime, example: Feeds) -> Measured:
    """Try a version with its example, alone and among others."""
    begun = time.perf_counter()
    first = _rows(example, 1, 0) if runtime.rows else example
    one = _time(runtime, first, begun)
    elements = max(1, sum(array.size for array in first.values()))
    alone = Measured(one, one * _TOGETHER, elements=elements)
    if not runtime.rows or not example:
        return alone
    try:
        many = _time(runtime, _rows(example, _TOGETHER, 0), begun)
        if many >= _PAYS * _TOGETHER * one:
            return Measured(one, many, elements=elements)
        if _is_same(runtime, example, begun):
            return Measured(one, many, _largest(many), elements=elements)
        for block in _BLOCKS:
            filled = _time(runtime, _rows(example, block, 0), begun)
            if filled <= _DEARER * one and _is_same_in(runtime, example, block):
                return Measured(one, filled, block, block, elements)
    except Exception:  # it takes one row at a time
        return alone
    return Measured(one, many, elements=elements)


def _largest(many: float) -> int:
    """Rows of one batch: what takes a quarter of a second, and no more than a thousand."""
    return max(_TOGETHER, min(1024, int(0.25 * _TOGETHER / max(many, 1e-6))))


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


def _is_same(runtime: TensorRuntime, example: Feeds, begun: float) -> bool:
    """Whether rows are answered alike in company of any size."""
    count = max(_SIZES)
    feeds = _rows(example, count, 7)
    among = runtime.run(feeds)
    if any(len(array) != count for array in among.values()):
        return False
    for size in _SIZES:
        start = (size * 5) % (count - size + 1)
        part = slice(start, start + size)
        if not _equal(runtime.run(_part(feeds, part)), _part(among, part)):
            return False
        if time.perf_counter() - begun > _PATIENCE:
            break
    return True


def _is_same_in(runtime: TensorRuntime, example: Feeds, block: int) -> bool:
    """Whether rows are answered alike wherever they stand in a block, and whoever is beside."""
    begun = time.perf_counter()
    feeds = _rows(example, 2 * block, 7)
    alone = [
        run(runtime, _part(feeds, slice(row, row + 1)), 1, None, block=block)
        for row in range(2 * block)
    ]
    wanted = {name: np.concatenate([one[name] for one in alone]) for name in alone[0]}
    for start in range(block):
        turned = np.roll(np.arange(2 * block), -start)[:block]
        if not _equal(runtime.run(_part(feeds, turned)), _part(wanted, turned)):
            return False
        if time.perf_counter() - begun > _PATIENCE:
            break
    return True


def _part(arrays: Feeds, rows: Any) -> dict[str, Array]:
    return {name: array[rows] for name, array in arrays.items()}


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
