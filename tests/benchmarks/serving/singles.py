"""Single numbers of the data plane: what it costs, how soon it is there, what it stands."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from tests.benchmarks.server.load import bytes_of
from tests.benchmarks.serving import protocol
from tests.benchmarks.serving.deployed import served_yard
from tests.benchmarks.serving.generator import Load
from tests.benchmarks.serving.killing import kill_worker
from tests.benchmarks.serving.machine import processor
from tests.benchmarks.serving.ours import alone, new_yard
from tests.benchmarks.serving.overloading import overload
from tests.benchmarks.serving.sleeping import wake_often
from tests.benchmarks.serving.swapping import (
    EXPECTED,
    MODEL,
    NAME,
    ROW,
    effective,
    small_yard,
    swap_under_load,
)
from tests.benchmarks.store.checks import Check

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tests.benchmarks.serving.models import Models

__all__ = ["cold", "inside", "kill", "large", "overloaded", "start", "swap"]

_STARTS, _KILLS, _ROLLBACKS = 5, 3, 10


def inside(models: Models, _given: argparse.Namespace) -> Iterator[Check]:
    """Processor time of one request."""
    from tests.benchmarks.serving.inside import costs

    with tempfile.TemporaryDirectory() as place:
        found = costs(new_yard(Path(place), models), models)
    note = f"all {found.whole:.1f}, the model {found.model:.1f}, an echo {found.echo:.1f} us"
    yield Check("inside", "beyond model and echo", found.beyond, 40.0, "us", note=note)
    http = protocol.costs()
    note = f"uvicorn's own {http['uvicorn']:.1f} us, without sockets"
    beyond = http["ours"] - http["uvicorn"]
    yield Check("inside", "HTTP beyond uvicorn's own", beyond, None, "us", note=note)


def start(models: Models, _given: argparse.Namespace) -> Iterator[Check]:
    """From the command to three models that answer."""
    with tempfile.TemporaryDirectory() as place:
        yard = new_yard(Path(place), models)
        times, sizes, spent = [], [], []
        for _ in range(_STARTS):
            with alone(yard, ["small0", "small1", "small2"]) as (up, _token):
                times.append(up.ready_after)
                spent.append(processor(*up.pids))
                sizes.append(bytes_of(up.pids[0]) / 1e6)
    note = f"{min(times):.2f} to {max(times):.2f} s, {median(spent):.2f} s of processor time"
    yield Check("start", "three ONNX models, ready after", median(times), 1.0, "s", note=note)
    yield Check("start", "three ONNX models, memory", median(sizes), 120.0, "MB")


def large(models: Models, _given: argparse.Namespace) -> Iterator[Check]:
    """10 MB as a binary tensor."""
    from tests.benchmarks.serving.large import ten_megabytes

    with tempfile.TemporaryDirectory() as place:
        found = ten_megabytes(new_yard(Path(place), models), models)
    note = f"{found.ours.within(0.5) * 1e3:.1f} / {found.echo.within(0.5) * 1e3:.1f} ms"
    yield Check("large", "beyond an echo that reads it", found.added * 1e3, 1.5, "ms", note=note)
    yield Check("large", "memory at most, in bodies", found.growth, None, "x")


def swap(models: Models, given: argparse.Namespace) -> Iterator[Check]:
    """Changes under load, and rollbacks."""
    with tempfile.TemporaryDirectory() as place:
        found = swap_under_load(
            Path(place) / "yard", models, changes=given.changes, requests=given.requests
        )
    note = f"of {found.requests:,}, over {found.changes} changes"
    yield Check("swap", "requests that failed", found.failed, 0, note=note)
    yield Check("swap", "changes that went wrong", len(found.wrong), 0, note="; ".join(found.wrong))
    last = max(found.effective) * 1e3
    note = f"the latest of {len(found.rollbacks)}, as clients see it"
    yield Check("swap", "rollback, effective after", last, 10.0, "ms", note=note)
    yield Check("swap", "growth of memory", found.growth, 0.15)
    worst = max(_elsewhere(models)) * 1e3
    yield Check("swap", "rollback on another server, effective after", worst, 1000.0, "ms")


def _elsewhere(models: Models) -> Iterator[float]:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "yard"
        small_yard(place, models)
        with served_yard(place) as here, served_yard(place, token=here.server.token) as other:
            for _ in range(_ROLLBACKS):
                here.deploy(NAME, MODEL, "1")
                here.deploy(NAME, MODEL, "2")
                other.settled(NAME)
                with Load(
                    [other.ask(NAME, ROW, tensor="x")], connections=4, expected=EXPECTED
                ) as load:
                    time.sleep(0.3)
                    here.deployments.roll_back(NAME)
                    at = time.monotonic()
                    time.sleep(1.5)
                    yield effective(load.stop(), at, at + 1.5, gone=1)


def kill(models: Models, _given: argparse.Namespace) -> Iterator[Check]:
    """SIGKILL of a model's process under load."""
    told, back, wrong = [], [], 0
    for _ in range(_KILLS):
        with tempfile.TemporaryDirectory() as place:
            found = kill_worker(Path(place) / "yard", models)
        told.append(found.told_after * 1e3)
        back.append(found.back_after)
        wrong += len(found.wrong) + found.others.failed
    note = f"the latest of {_KILLS} kills; scikit-learn in a process"
    yield Check("kill", "who was under way has 503 after", max(told), 100.0, "ms", note=note)
    yield Check("kill", "predicts again after", max(back), 2.0, "s", note="the model's load too")
    yield Check("kill", "wrong answers, and failures of others", wrong, 0)


def overloaded(models: Models, given: argparse.Namespace) -> Iterator[Check]:
    """Ten times the capacity."""
    with tempfile.TemporaryDirectory() as place:
        found = overload(Path(place) / "yard", models, seconds=given.overload)
    counts = ", ".join(f"{n} x {status}" for status, n in sorted(found.records.counts().items()))
    note = f"{found.seconds:g} s at {found.capacity * found.times:,.0f}/s: {counts}"
    yield Check("overload", "goodput", found.goodput, 0.9, at_least=True, note=note)
    refused, probes, taken = found.refused, found.probes, found.accepted
    note = f"p50 {refused.within(0.5) * 1e3:.2f}, latest {refused.within(1.0) * 1e3:.0f} ms"
    yield Check("overload", "refused after, p99", refused.within(0.99) * 1e3, 5.0, "ms", note=note)
    without = 0 if refused.told_when_to_come() else 1
    yield Check("overload", "refusals without Retry-After", without, 0)
    note = f"p50 {probes.within(0.5) * 1e3:.2f}, latest {probes.within(1.0) * 1e3:.0f} ms"
    yield Check("overload", "live probe, p99", probes.within(0.99) * 1e3, 50.0, "ms", note=note)
    yield Check("overload", "live probes that failed", len(probes) - probes.counts()[200], 0)
    note = "the deadline is 1 s"
    yield Check("overload", "answered after, p99", taken.within(0.99), 1.05, "s", note=note)
    yield Check("overload", "growth of memory", found.growth, 0.1)


def cold(models: Models, _given: argparse.Namespace) -> Iterator[Check]:
    """The first request of a model that slept."""
    with tempfile.TemporaryDirectory() as place:
        found = wake_often(Path(place) / "yard", models, times=20)
    worst = quantiles(found.first, n=20)[18] * 1e3
    note = f"median {median(found.first) * 1e3:.0f} ms; warm {found.warm.within(0.5) * 1e3:.1f} ms"
    yield Check("cold", "a model of 3 MB, p95", worst, 60.0, "ms", note=note)
    yield Check("cold", "first requests that failed", found.failed, 0)
