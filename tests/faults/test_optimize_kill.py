"""SIGKILL while a version is being improved: `--resume` ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import modelyard
from modelyard.registry.optimizations import local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.core.optimization import Optimization

pytestmark = pytest.mark.slow

RECIPE = """
name: kill
objective: [quality max]
budget: {trials: 10}
passes: [{select: {optional: true}}, tune]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A yard with a model that is easily improved, and rows."""
    datasets = pytest.importorskip("sklearn.datasets")
    tree = pytest.importorskip("sklearn.tree")
    pytest.importorskip("optuna")
    x, y = datasets.load_digits(return_X_y=True)
    with modelyard.create(tmp_path / "yard") as yard:
        stump = tree.DecisionTreeClassifier(max_depth=3, random_state=0).fit(x[:600], y[:600])
        yard.commit("digits", stump)
    names = [*(f"p{i}" for i in range(x.shape[1])), "target"]
    rows = [[*row.tolist(), int(label)] for row, label in zip(x[600:], y[600:], strict=True)]
    lines = [names, *rows]
    (tmp_path / "rows.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))
    (tmp_path / "kill.yaml").write_text(RECIPE)
    return tmp_path


def begin(folder: Path, yard: str, *more: str) -> subprocess.Popen[bytes]:
    """`yard optimize`, in a process of its own."""
    environment = {
        **os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1",
        "YARD_AUTHOR": "test",
    }  # fmt: skip
    command = [sys.executable, "-m", "modelyard", "--yard", yard, "optimize", *more]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def first(folder: Path, yard: str) -> subprocess.Popen[bytes]:
    how = ("--recipe", "kill.yaml", "--data", "rows.csv", "--target", "target")
    return begin(folder, yard, "digits", *how)


def kill_when(
    process: subprocess.Popen[bytes], folder: Path, yard: str, ready: Callable[[Optimization], bool]
) -> None:
    """Kill it once the catalog says that it is so far; and nothing of it is left."""
    end = time.monotonic() + 240
    with modelyard.open(folder / yard) as opened:
        while time.monotonic() < end:
            assert process.poll() is None, "it ended before it could be killed"
            if any(ready(found) for found in opened.optimizations.list("digits")):
                break
            time.sleep(0.02)
    children = children_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert children, "it works in processes of its own"
    while any(map(is_alive, children)):
        assert time.monotonic() < end, "its processes outlive it"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        found = [int(each) for each in file.read().split()]
    threads = os.listdir(f"/proc/{pid}/task")
    for thread in threads:
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            found += [int(each) for each in file.read().split()]
    return found


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def outcome(folder: Path, yard: str) -> Any:
    """What came of it: versions, trials, candidates; without times, which are never the same."""
    with modelyard.open(folder / yard) as opened:
        [found] = opened.optimizations.list("digits")
        assert found.state == "done", found
        trials = [
            (trial.number, trial.params, trial.state, trial.digest, trial.values.get("accuracy"))
            for trial in opened.optimizations.trials(found.id)
        ]
        versions = []
        for number in found.published:
            folder_of = folder / f"{yard}-{number}"
            opened.checkout("digits", number, folder_of)
            versions.append({
                path.relative_to(folder_of).as_posix(): path.read_bytes()
                for path in sorted(folder_of.rglob("*")) if path.is_file()
                and path.name in ("model.skops", "recipe.yaml")
            })  # fmt: skip
        candidates = [
            (each.trial, each.version, each.digest, [v.after for v in each.verdicts])
            for each in found.candidates
        ]
        return {"trials": trials, "versions": versions, "candidates": candidates}


def test_a_killed_optimization_resumes_to_the_same_versions(
    folder: Path,
) -> None:
    shutil.copytree(folder / "yard", folder / "killed")
    whole = first(folder, "yard")
    _, said = whole.communicate(timeout=500)
    assert whole.returncode == 0, said
    expected = outcome(folder, "yard")
    assert expected["versions"], "something better is found"

    kill_when(first(folder, "killed"), folder, "killed", lambda found: found.done >= 2)
    with modelyard.open(folder / "killed") as opened:
        [found] = opened.optimizations.list("digits")
        assert 2 <= found.done < 10
        assert not found.published
    kill_when(resumed(folder), folder, "killed", lambda now: now.done >= found.done + 3)
    last = resumed(folder)
    _, said = last.communicate(timeout=500)
    assert last.returncode == 0, said
    assert outcome(folder, "killed") == expected
    replayed = begin(folder, "killed", "--replay", "1")
    _, said = replayed.communicate(timeout=500)
    assert replayed.returncode == 0, said


def resumed(folder: Path) -> subprocess.Popen[bytes]:
    """`--resume`, as soon as it is sure that nobody works on it any more."""
    end = time.monotonic() + local.PATIENCE / 1e6 + 30
    with modelyard.open(folder / "killed") as opened:
        while next(opened.optimizations.list("digits")).state == "running":
            assert time.monotonic() < end
            time.sleep(0.5)
    return begin(folder, "killed", "--resume", "1")
