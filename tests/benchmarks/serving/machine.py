"""What else the machine did while something was measured, and that only one measures at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.serving.peers import descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LOUD", "Watch", "alone", "processor", "wait_for_quiet"]

LOUD = 0.2
"""Cores of foreign work above which a sample is not told."""
_TICK = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def alone(place: Path = Path("/tmp/modelyard-bench.lock")) -> Iterator[None]:
    """Nobody else measures meanwhile. Children don't inherit the lock: it is close-on-exec."""
    with place.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def processor(*pids: int) -> float:
    """Seconds that processes, what they started and what these waited for took so far."""
    total = 0.0
    for pid in {p for root in pids for p in (root, *descendants(root))}:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / _TICK
    return total


def _busy() -> float:
    """Seconds that all cores worked for anybody, other guests of the host included."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _wait, _irq, _soft, steal = fields[:8]
    return (user + nice + system + steal) / _TICK


@dataclass(slots=True)
class Watch:
    """Counts what others took of the processor since it was made."""

    pids: tuple[int, ...]
    """Processes of the server; this one and its children are known."""
    began: float = field(init=False)
    busy: float = field(init=False)
    ours: float = field(init=False)

    def __post_init__(self) -> None:
        self.pids = (*self.pids, os.getpid())
        self.began, self.busy, self.ours = time.monotonic(), _busy(), processor(*self.pids)

    @property
    def foreign(self) -> float:
        """Cores."""
        took = _busy() - self.busy - (processor(*self.pids) - self.ours)
        return max(took, 0.0) / (time.monotonic() - self.began)


def wait_for_quiet(pids: tuple[int, ...], patience: float) -> float:
    """Until others leave the machine alone, at most so long; what they take then."""
    until = time.monotonic() + patience
    while True:
        watch = Watch(pids)
        time.sleep(0.5)
        foreign = watch.foreign
        if foreign <= LOUD or time.monotonic() > until:
            return foreign
