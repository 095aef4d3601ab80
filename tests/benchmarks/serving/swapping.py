"""Changes of a deployment under load, of which nobody who asks notices anything but the version.

One cycle: a canary, its share, promoted, rolled back; a version that can't be loaded; the next
version at once, and back. Answers tell which version they are of, and must be right for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks.server.load import bytes_of
from tests.benchmarks.serving.deployed import Site, served_yard, shares
from tests.benchmarks.serving.generator import Load, Records
from tests.benchmarks.serving.models import three

import modelyard
from modelyard.core.deployment import DeploymentSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models

__all__ = ["EXPECTED", "MODEL", "Swapped", "effective", "small_yard", "swap_under_load"]

MODEL, NAME = "bench/small", "small"
EXPECTED = tuple(
    f'"model_version":"{n}","outputs":[{{"name":"y","datatype":"FP32","shape":[1,4],"data":[{n}.0,'
    for n in (1, 2, 3)
)
"""How answers of the three versions begin, for a row of ones."""
ROW = (1.0, 1.0, 1.0, 1.0)
_BROKEN = "4"
_LOOK = 0.03
"""Seconds in which each change is seen by requests."""


@dataclass(slots=True)
class Swapped:
    """What a time of changes showed."""

    changes: int = 0
    wrong: list[str] = field(default_factory=list)
    """Changes that did not do what they say."""
    rollbacks: list[tuple[float, float, int]] = field(default_factory=list)
    """When each call came back, when the next change began, and the index of the answer that was
    not to come between."""
    memory: list[int] = field(default_factory=list)
    records: Records | None = None

    @property
    def requests(self) -> int:
        return len(self.records) if self.records is not None else 0

    @property
    def failed(self) -> int:
        return self.records.failed if self.records is not None else 0

    @property
    def growth(self) -> float:
        """Of the memory, from a third of the changes to the end."""
        settled = self.memory[len(self.memory) // 3 :]
        return settled[-1] / settled[0] - 1 if settled else 0.0

    @property
    def effective(self) -> list[float]:
        """Seconds after each rollback's return, until the last request went the old way."""
        assert self.records is not None
        return [effective(self.records, *rollback) for rollback in self.rollbacks]


def effective(records: Records, at: float, until: float, gone: int) -> float:
    """Seconds from a moment until the last request left that got the answer `gone`; at least 0."""
    late = (records.answer == gone) & (records.left > at) & (records.left < until)
    return float(records.left[late].max() - at) if late.any() else 0.0


def small_yard(folder: Path, models: Models) -> Path:
    """A yard with three versions of a model that answer, and a fourth that can't be loaded."""
    with modelyard.create(folder) as yard:
        for path in three(models):
            yard.commit(MODEL, path)
        broken = folder.parent / "broken.onnx"
        whole = models.onnx("small2").read_bytes()
        broken.write_bytes(whole.replace(b"Mul", b"Mux"))
        yard.commit(MODEL, broken)
    return folder


def swap_under_load(
    folder: Path, models: Models, *, changes: int, requests: int, connections: int = 16
) -> Swapped:
    """So many changes at least, under load all the time, and so many requests at least."""
    swapped, until = Swapped(), time.monotonic() + 60 + 5 * changes
    small_yard(folder, models)
    with served_yard(folder) as site:
        site.deploy(NAME, MODEL, "1")
        asked = site.ask(NAME, ROW, tensor="x")
        with Load([asked], connections=connections, expected=EXPECTED) as load:
            while swapped.changes < changes or load.answered < requests:
                if load.over or time.monotonic() > until:
                    raise RuntimeError(f"{load.answered} requests, {swapped.changes} changes")
                _cycle(site, swapped)
                swapped.memory.append(bytes_of(site.pid))
            swapped.records = load.stop()
    seen = set(np.unique(swapped.records.answer).tolist())
    if not {0, 1, 2} <= seen:
        swapped.wrong.append(f"only these versions answered: {sorted(seen)}")
    return swapped


def _cycle(site: Site, swapped: Swapped) -> None:
    stable, canary = (MODEL, "1", 95.0), (MODEL, "2", 5.0)
    _apply(site, swapped, stable, canary)
    _apply(site, swapped, (MODEL, "1", 50.0), (MODEL, "2", 50.0))
    site.deployments.promote(NAME)
    _count(site, swapped, "promote")
    _back(site, swapped, gone=1)
    _apply(site, swapped, (MODEL, _BROKEN, 100.0), expect="failed")
    _back(site, swapped, gone=3)
    _apply(site, swapped, (MODEL, "3", 100.0))
    _back(site, swapped, gone=2)
    _apply(site, swapped, (MODEL, "1", 100.0))


def _apply(
    site: Site, swapped: Swapped, *wanted: tuple[str, str, float], expect: str = "ready"
) -> None:
    site.deployments.apply(DeploymentSpec(name=NAME, shares=shares(*wanted)))
    _count(site, swapped, f"deploy {wanted}", expect)


def _back(site: Site, swapped: Swapped, gone: int) -> None:
    site.deployments.roll_back(NAME)
    at = time.monotonic()
    _count(site, swapped, "roll back")
    swapped.rollbacks.append((at, time.monotonic(), gone))


def _count(site: Site, swapped: Swapped, what: str, expect: str = "ready") -> None:
    found = site.settled(NAME)
    time.sleep(_LOOK)
    swapped.changes += 1
    if found.state != expect:
        swapped.wrong.append(f"{what}: {found.state}, not {expect}")
