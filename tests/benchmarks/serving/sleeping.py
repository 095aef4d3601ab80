"""Versions that sleep until somebody asks: how long the first request takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.serving.deployed import Site, served_yard
from tests.benchmarks.serving.generator import Records, load
from tests.benchmarks.serving.models import MEDIUM_WIDTH

import modelyard
from modelyard.core.deployment import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models

__all__ = ["Woken", "wake_often"]

_IDLE = 1.0


@dataclass(frozen=True, slots=True)
class Woken:
    """The first requests after so many sleeps, and later ones."""

    first: tuple[float, ...]
    """Seconds."""
    failed: int
    warm: Records


def wake_often(folder: Path, models: Models, *, times: int) -> Woken:
    """Let a model of 3 MB fall asleep so often, and ask it."""
    with modelyard.create(folder) as yard:
        yard.commit("bench/medium", models.onnx("medium"))
    with served_yard(folder) as site:
        site.deploy("medium", "bench/medium", limits=Limits(idle=_IDLE))
        asked = site.ask("medium", [1.0] * MEDIUM_WIDTH)
        first, failed = [], 0
        for _ in range(times):
            _until(site, "asleep")
            cold = load([asked], connections=1, count=1, expected=('"name":"y"',))
            first.append(cold.within(1.0))
            failed += cold.failed
            _until(site, "ready")  # it is told a moment later
        warm = load([asked], connections=1, count=50, expected=('"name":"y"',))
    return Woken(tuple(first), failed, warm)


def _until(site: Site, state: str, patience: float = 15.0) -> None:
    until = time.monotonic() + patience
    while (found := site.deployments.get("medium")).state != state:
        if time.monotonic() > until:
            raise RuntimeError(f"it is not {state}: {found.servers}")
        time.sleep(0.02)
