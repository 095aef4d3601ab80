"""Tasks over Ray: the same results as on this machine."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelyard.optimization.engines.interface import Limits, Place, Task
from modelyard.optimization.engines.local import LocalEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.optimization.engines.ray import RayEngine

pytestmark = [pytest.mark.heavy, pytest.mark.slow]

RUNNERS = "tests.unit.optimization.engines.runners"
SAVED = {"framework": "sklearn", "serializer": "skops", "class": "x"}
LIMITS = Limits(seconds=60, memory=2 << 30)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray for all tests of this file."""
    pytest.importorskip("ray")
    from modelyard.optimization.engines.ray import RayEngine

    with RayEngine(LIMITS):
        yield


def ray_engine(name: str) -> RayEngine:
    from modelyard.optimization.engines.ray import RayEngine

    return RayEngine(LIMITS, runner=f"{RUNNERS}:{name}")


def tasks(folder: Path, count: int) -> list[Task]:
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "weights.txt").write_text("weights")
    (folder / "rows.csv").write_text("a,b")
    (folder / "made").mkdir()
    source = Place(folder=str(folder / "source"), saved=SAVED)
    made = []
    for trial in range(count):
        out = folder / f"out-{trial}"
        out.mkdir()
        made.append(Task(
            kind="trial", trial=trial, source=source, out=str(out), made=str(folder / "made"),
            data=str(folder / "rows.csv"), seed=trial,
        ))  # fmt: skip
    return made


def go_on(_trial: int, _what: str, _score: float | None) -> bool:
    return False


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("sees_files", [True, False])
def test_what_ray_makes_is_bit_for_bit_what_is_made_here(tmp_path: Path, sees_files: bool) -> None:
    with LocalEngine(LIMITS, at_once=1, runner=f"{RUNNERS}:writes") as local:
        here = {each.trial: each for each in local.run(tasks(tmp_path / "here", 4), go_on)}
    with ray_engine("writes") as engine:
        engine.sees_files = sees_files
        there = {each.trial: each for each in engine.run(tasks(tmp_path / "there", 4), go_on)}
    assert {each.state for each in there.values()} == {"done"}
    assert {trial: each.digest for trial, each in here.items()} == {
        trial: each.digest for trial, each in there.items()
    }
    for each in there.values():
        assert each.place is not None
        assert each.place.model().digest == each.digest
        assert Path(each.place.folder).is_relative_to(tmp_path)


@pytest.mark.usefixtures("cluster")
def test_trials_are_given_up_and_crashes_are_told_of(tmp_path: Path) -> None:
    told: list[tuple[int, float | None]] = []

    def tell(trial: int, _what: str, score: float | None) -> bool:
        told.append((trial, score))
        return trial == 1 and score == 13.0

    with ray_engine("scores") as engine:
        found = {each.trial: each for each in engine.run(tasks(tmp_path / "a", 3), tell)}
    assert [found[i].state for i in range(3)] == ["done", "pruned", "done"]
    assert [score for trial, score in told if trial == 1] == [10.0, 11.0, 12.0, 13.0]
    with ray_engine("by_trial") as engine:
        found = {each.trial: each for each in engine.run(tasks(tmp_path / "b", 2), go_on)}
    assert found[0].state == "done"
    assert (found[1].state, "SIGSEGV" in found[1].reason) == ("failed", True)


@pytest.mark.usefixtures("cluster")
def test_a_cancelled_engine_ends_soon(tmp_path: Path) -> None:
    with ray_engine("by_trial") as engine:
        threading.Timer(2, engine.cancel).start()
        begun = time.monotonic()
        hanging = [task for task in tasks(tmp_path / "a", 3) if task.trial == 2]
        (found,) = engine.run(hanging, go_on)
        assert (found.state, found.reason) == ("failed", "cancelled")
        assert time.monotonic() - begun < 20


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nobody.invalid:1"])
def test_a_cluster_that_is_not_there_is_told_of_soon(address: str) -> None:
    pytest.importorskip("ray")
    program = f"from modelyard.optimization import engines; engines.engine_named('ray@{address}')"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )  # a process of its own: this one may be connected to Ray already
    assert "Unavailable" in done.stderr
    assert f"nobody answers at {address}" in done.stderr
    assert time.monotonic() - begun < 30


@pytest.mark.usefixtures("cluster")
def test_a_cluster_that_runs_answers() -> None:
    import ray

    from modelyard.runtimes.clusters import check_ray

    check_ray(ray.get_runtime_context().gcs_address)
