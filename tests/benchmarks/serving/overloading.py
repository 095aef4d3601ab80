"""Ten times more than can be computed: what can be is, the rest is told at once to come again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.server.load import bytes_of
from tests.benchmarks.serving.deployed import served_yard
from tests.benchmarks.serving.generator import Load, Records, load
from tests.benchmarks.serving.peers import Asked

import modelyard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models

__all__ = ["Overloaded", "overload"]

_DEADLINE = 1.0
_EXPECTED = ('"name":"y"',)


@dataclass(frozen=True, slots=True)
class Overloaded:
    """What a time of far too many requests showed."""

    capacity: float
    """Requests a second that were answered when no more came."""
    seconds: float
    times: float
    """How many times the capacity was offered."""
    records: Records
    probes: Records
    memory: tuple[int, ...]
    """Bytes, each second."""

    @property
    def accepted(self) -> Records:
        return self.records.only(self.records.status == 200)

    @property
    def refused(self) -> Records:
        return self.records.only((self.records.status == 503) | (self.records.status == 429))

    @property
    def others(self) -> int:
        """Neither answered nor refused, as they should be."""
        return len(self.records) - len(self.accepted) - len(self.refused)

    @property
    def goodput(self) -> float:
        """Of the capacity."""
        return len(self.accepted) / self.seconds / self.capacity

    @property
    def growth(self) -> float:
        """Of the memory, from a third of the time to its end."""
        settled = self.memory[len(self.memory) // 3 :]
        return settled[-1] / settled[0] - 1


def overload(folder: Path, models: Models, *, seconds: float, times: float = 10.0) -> Overloaded:
    """Offer so many times what one model can compute, and look for life all the while."""
    with modelyard.create(folder) as yard:
        yard.commit("bench/busy", models.onnx("busy"))
    with served_yard(folder) as site:
        site.deploy("busy", "bench/busy")
        asked = site.ask("busy", models.row)
        asked = Asked(
            asked.port, asked.path, asked.body, {**asked.headers, "x-deadline-ms": "1000"}
        )
        live = Asked(site.port, "/v2/health/live", b"")
        load([asked], connections=4, seconds=1.0, expected=_EXPECTED)
        quiet = load([asked], connections=4, seconds=4.0, expected=_EXPECTED)
        capacity = len(quiet) / 4.0
        memory = [bytes_of(site.pid)]
        with (
            Load([live], connections=4, rate=20, seconds=seconds) as probing,
            Load(
                [asked], connections=2000, rate=capacity * times, seconds=seconds,
                expected=_EXPECTED,
            ) as flood,
        ):  # fmt: skip
            while not flood.over:
                time.sleep(1.0)
                memory.append(bytes_of(site.pid))
            return Overloaded(
                capacity, seconds, times, flood.records(), probing.records(), tuple(memory)
            )
