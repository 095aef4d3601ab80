"""Tasks in child processes: what happens in one harms nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.optimization.engines.interface import Limits, Place, Result, Task
from modelyard.optimization.engines.local import LocalEngine

if TYPE_CHECKING:
    import pytest

RUNNERS = "tests.unit.optimization.engines.runners"
NOWHERE = Place(
    folder="/nowhere", saved={"framework": "sklearn", "serializer": "skops", "class": "x"}
)


def task(trial: int, out: str = "/nowhere", seed: int = 0) -> Task:
    return Task(kind="trial", trial=trial, source=NOWHERE, out=out, made="/nowhere", seed=seed)


def engine(name: str = "by_trial", *, at_once: int = 2, **limits: float) -> LocalEngine:
    given = Limits(seconds=limits.get("seconds", 60), memory=int(limits.get("memory", 2 << 30)))
    return LocalEngine(given, at_once=at_once, runner=f"{RUNNERS}:{name}")


def go_on(_trial: int, _what: str, _score: float | None) -> bool:
    return False


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_until(true: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.02)
    assert true()  # type: ignore[operator]


def test_every_task_has_a_result_and_values_travel() -> None:
    with engine() as local:
        found = list(local.run([task(10 + i, seed=i) for i in range(5)], go_on))
    assert sorted((each.trial, each.values["seed"]) for each in found) == [
        (10 + i, float(i)) for i in range(5)
    ]


def test_processes_are_kept_for_the_next_tasks_and_are_all_alike() -> None:
    with engine(at_once=1) as local:
        first = [each.reason for each in local.run([task(10), task(11)], go_on)]
        again = [each.reason for each in local.run([task(12)], go_on)]
    assert len({*first, *again}) == 1
    with engine(at_once=1) as other:
        _, text_hash, threads = next(other.run([task(10)], go_on)).reason.split()
    assert first[0].split()[1:] == [text_hash, threads]
    assert threads == "1"


def test_a_task_that_crashes_hangs_or_eats_memory_is_failed_and_others_go_on() -> None:
    with engine(seconds=8, memory=1 << 30) as local:
        found = {each.trial: each for each in local.run([task(i) for i in range(7)], go_on)}
    assert {each.state for trial, each in found.items() if trial} == {"failed"}
    assert found[0].state == "done"
    assert "SIGSEGV" in found[1].reason
    assert "longer than its limit of 8 seconds" in found[2].reason
    assert "memory" in found[3].reason
    assert "I have had enough" in found[4].reason
    assert found[5].reason == "ZeroDivisionError: so much for that"
    assert found[6].reason.startswith(("PermissionError", "OSError"))


def test_what_is_told_comes_in_order_and_a_trial_can_be_given_up() -> None:
    told: list[tuple[int, float | None]] = []

    def tell(trial: int, _what: str, score: float | None) -> bool:
        told.append((trial, score))
        return trial == 1 and score == 13.0

    with engine("scores", at_once=1) as local:
        found = {each.trial: each for each in local.run([task(0), task(1), task(2)], tell)}
    assert [each.state for _, each in sorted(found.items())] == ["done", "pruned", "done"]
    assert "given up" in found[1].reason
    assert [score for trial, score in told if trial == 1] == [10.0, 11.0, 12.0, 13.0]
    assert [score for trial, score in told if trial == 2] == [20.0 + i for i in range(10)]


def test_what_has_not_ended_is_given_up_when_the_time_is_over() -> None:
    ended: list[int] = []
    with engine(at_once=1) as local:
        found = []
        for each in local.run([task(10), task(2), task(11)], go_on, lambda: not ended):
            ended.append(each.trial)
            found.append((each.trial, each.state, each.reason))
    assert found[0][:2] == (10, "done")
    assert found[1:] == [(trial, "pruned", "the time was over") for trial in (2, 11)]


def test_a_task_that_does_not_give_up_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.optimization.engines.worker._STUBBORN", 0.5)
    with engine("stubborn", at_once=1) as local:
        (found,) = local.run([task(0)], lambda *_: True)
    assert found.state == "pruned"


def test_a_cancelled_engine_ends_what_runs_and_what_its_children_started(tmp_path: Path) -> None:
    with engine("with_child", at_once=1) as local:

        def tell(_trial: int, what: str, _score: float | None) -> bool:
            if what == "started":
                threading.Thread(target=local.cancel).start()
            return False

        begun = time.monotonic()
        found = list(local.run([task(0, str(tmp_path)), task(1, str(tmp_path))], tell))
        assert time.monotonic() - begun < 30
    assert sorted((each.trial, each.state, each.reason) for each in found) == [
        (0, "failed", "cancelled"), (1, "failed", "cancelled"),
    ]  # fmt: skip
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        wait_until(lambda pid=pid: not is_alive(pid))


def test_children_end_when_who_runs_them_goes_away(tmp_path: Path) -> None:
    with engine("with_child", at_once=1) as local:
        running = local.run([task(0, str(tmp_path))], go_on)
        waiting = threading.Thread(target=lambda: next(running, None))
        waiting.start()
        wait_until((tmp_path / "pids").exists)
        local.cancel()
        waiting.join()
    assert not is_alive(int((tmp_path / "pids").read_text().split()[0]))


def test_children_and_what_they_started_die_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.unit.optimization.engines.test_local import *\n"
        f"list(engine('with_child', at_once=1).run([task(0, {str(tmp_path)!r})], go_on))"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(scratch)}
    )
    try:
        wait_until((tmp_path / "pids").exists)
        pids = [int(each) for each in (tmp_path / "pids").read_text().split()]
        assert all(map(is_alive, pids))
        assert list(scratch.glob("modelyard-*"))
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any(map(is_alive, pids)))
    wait_until(lambda: not list(scratch.glob("modelyard-*")))


def test_results_are_plain_values() -> None:
    import msgspec

    made = Result(trial=1, state="done", place=NOWHERE, values={"size": 1.0})
    assert msgspec.json.decode(msgspec.json.encode(made), type=Result) == made
