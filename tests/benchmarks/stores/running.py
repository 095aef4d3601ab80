"""Run steps in processes of their own, one after the other or side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.store.data import Plan, make
from tests.benchmarks.store.measure import empty

if TYPE_CHECKING:
    from tests.benchmarks.stores.places import Places

__all__ = ["Bench", "step", "steps", "yard"]

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where, and how much of everything."""

    work: Path
    places: Places
    traffic_mb: int = 1000
    cycle_mb: int = 500
    rounds: int = 3
    verify_mb: int = 1000
    chunks: int = 100_000
    commits: int = 200
    versions: int = 2000

    def folder(self, name: str) -> Path:
        return empty(self.work / "stores" / name)

    def model(self, case: str, megabytes: int) -> Path:
        """A file of float32 weights: `a`, or `b` with its last tenth changed."""
        return make(Plan("fp32", megabytes), case, self.work / "data" / f"fp32-{megabytes}")

    def noise(self, megabytes: int) -> Path:
        """A file that no codec makes smaller."""
        path = self.work / "data" / f"noise-{megabytes}" / "noise.bin"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for _ in range(megabytes):
                    file.write(os.urandom(1_000_000))
        return path


def step(name: str, **given: Any) -> dict[str, Any]:
    """What one step says."""
    return steps([(name, given)])[0]


def steps(wanted: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What several steps say that run at once."""
    head = [sys.executable, "-m", "tests.benchmarks.stores.steps"]
    running = [
        subprocess.Popen(
            [*head, name, json.dumps({key: _plain(value) for key, value in given.items()})],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )
        for name, given in wanted
    ]  # fmt: skip
    said = [child.communicate()[0] for child in running]
    for child, (name, _) in zip(running, wanted, strict=True):
        if child.returncode:
            raise RuntimeError(f"{name} failed")
    return [json.loads(text.strip().splitlines()[-1]) for text in said]


def yard(*words: object, expect: int = 0) -> None:
    """The command line, as users run it."""
    argv = [str(Path(sys.executable).with_name("yard")), *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != expect:
        raise RuntimeError(f"{argv}: {done.returncode}\n{done.stderr}")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
