"""Eight clients of mixed load: no error, nothing lost, and no growth of memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from tests.benchmarks.server.clients import Client, Known, work_together
from tests.server.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Load", "bytes_of", "load"]

CLIENTS = 8
_GROWTH = 0.15
"""Of what the server took after a third of the time; a cache fills, a leak goes on."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a time of load showed."""

    seconds: float
    calls: dict[str, list[float]]
    errors: list[str]
    lost: list[str]
    memory: list[tuple[float, int]]
    """Bytes of the server's processes, by seconds since the start."""

    @property
    def growth(self) -> float:
        """Of the memory, from a third of the time to its end."""
        settled = [size for at, size in self.memory if at >= self.seconds / 3]
        return settled[-1] / settled[0] - 1 if settled else 0.0

    @property
    def wrong(self) -> list[str]:
        grown = [f"memory grew by {self.growth:.0%}"] if self.growth > _GROWTH else []
        return [*self.errors, *self.lost, *grown]

    def lines(self) -> Iterator[str]:
        total = sum(map(len, self.calls.values()))
        yield f"{total} calls in {self.seconds:.0f} s, {total / self.seconds:.0f}/s"
        for name, took in sorted(self.calls.items()):
            cuts = quantiles(took, n=20) if len(took) > 1 else took * 19
            yield f"{name:>16} {len(took):6} p50 {cuts[9] * 1e3:7.1f} p95 {cuts[18] * 1e3:7.1f} ms"
        sizes = [size for _, size in self.memory]
        yield f"memory {sizes[0] / 1e6:.0f} -> {sizes[-1] / 1e6:.0f} MB, grew {self.growth:.1%}"


def load(folder: Path, seconds: float, clients: int = CLIENTS) -> Load:
    """Run a server on a new yard in `folder`, and load it."""
    known, memory = Known(), []
    with running(folder) as server:
        started = time.monotonic()
        people = [
            Client(server.url, server.token, number, known, patient=False)
            for number in range(clients)
        ]

        def over() -> bool:
            now = time.monotonic() - started
            if not memory or now - memory[-1][0] > 1.0:
                memory.append((now, bytes_of(server.process.pid)))
            return now > seconds

        try:
            work_together(people, over)
            memory.append((time.monotonic() - started, bytes_of(server.process.pid)))
            lost = known.missing(people[0].yard)
            report = people[0].yard.verify()
            lost += [str(damage) for damage in report.damage]
        finally:
            for person in people:
                person.close()
    return Load(seconds, known.calls, known.errors, lost, memory)


def bytes_of(pid: int) -> int:
    """Resident bytes of a process and its children."""
    total = 0
    for process in [pid, *_children(pid)]:
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue
        total += next(
            (int(line.split()[1]) * 1024 for line in status.splitlines() if "VmRSS" in line), 0
        )
    return total


def _children(pid: int) -> list[int]:
    found = []
    for place in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, place.read_text().split()):
            found += [child, *_children(child)]
    return found
