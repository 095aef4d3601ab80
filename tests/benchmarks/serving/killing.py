"""A model's process is killed: who waits is told at once, and it is back soon."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import joblib
import numpy as np
from tests.benchmarks.serving.deployed import served_yard
from tests.benchmarks.serving.generator import Load, Records
from tests.benchmarks.serving.peers import descendants

import modelyard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models

__all__ = ["Killed", "kill_worker"]


@dataclass(frozen=True, slots=True)
class Killed:
    """What requests saw of it."""

    at: float
    records: Records
    """Of the model whose process was killed."""
    others: Records
    """Of a model beside it."""

    @property
    def inside(self) -> Records:
        """Under way when it was killed."""
        return self.records.only((self.records.left < self.at) & (self.records.ended > self.at))

    @property
    def told_after(self) -> float:
        """Seconds until the last of those had an answer."""
        inside = self.inside
        return float((inside.ended - self.at).max()) if len(inside) else 0.0

    @property
    def back_after(self) -> float:
        """Seconds until one that came later was predicted again."""
        later = (self.records.left > self.at) & (self.records.status == 200)
        return float(self.records.ended[later].min() - self.at) if later.any() else float("inf")

    @property
    def wrong(self) -> dict[int, int]:
        """Answers that are neither predictions nor 503, by status."""
        return {s: n for s, n in self.records.counts().items() if s not in (200, 503)}


def kill_worker(folder: Path, models: Models, *, patience: float = 30.0) -> Killed:
    """SIGKILL the process of a scikit-learn model under load, with an ONNX model beside it."""
    with modelyard.create(folder) as yard:
        pipeline = joblib.load(models.joblib)
        yard.commit("bench/sk", pipeline, example=np.array([models.row], "float32"))
        yard.commit("bench/onx", models.onnx("onx"))
    with served_yard(folder) as site:
        site.deploy("onx", "bench/onx")
        before = set(descendants(site.pid))
        site.deploy("sk", "bench/sk", placement="process")
        (*_, worker) = sorted(set(descendants(site.pid)) - before)
        asked, other = site.ask("sk", models.row), site.ask("onx", models.row)
        expected = (f'"data":[{models.digit}]',)
        with (
            Load([asked], connections=16, expected=expected) as load,
            Load([other], connections=2, rate=100, expected=expected) as beside,
        ):
            time.sleep(1.0)
            at = time.monotonic()
            os.kill(worker, signal.SIGKILL)
            while asked.answer().status_code != 200 and time.monotonic() < at + patience:
                time.sleep(0.02)
            time.sleep(0.5)
            return Killed(at, load.stop(), beside.stop())
