"""Run a command as its user would and tell what it cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Cost",
    "command",
    "disk",
    "empty",
    "flushed",
    "quiet",
    "report",
    "same",
    "settle",
    "warm",
]

_KEPT = ("PATH", "LANG", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock and seconds of processor, children included."""

    wall: float
    cpu: float
    inside: float | None = None
    """Seconds by the clock that the process itself counted, without its start."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu, self.inside)


def quiet(home: Path, **more: str) -> dict[str, str]:
    """An environment of its own, without the user's settings and without telemetry."""
    home.mkdir(parents=True, exist_ok=True)
    env = {key: os.environ[key] for key in _KEPT if key in os.environ}
    who = {"NAME": "bench", "EMAIL": "bench@localhost"}
    env |= {
        f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in who.items()
    }
    return env | {
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "DO_NOT_TRACK": "1",
        **more,
    }


def command(argv: list[str], *, env: dict[str, str], cwd: Path | None = None) -> tuple[Cost, str]:
    """Run to the end; what it cost and what it printed. A failure tells what it said."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        child = subprocess.Popen(argv, env=env, cwd=cwd, stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode:
            raise RuntimeError(f"{' '.join(argv)}: exit {child.returncode}\n{err.read()[-4000:]}")
        return Cost(wall, usage.ru_utime + usage.ru_stime), out.read()


def report(
    argv: list[str], *, env: dict[str, str], cwd: Path | None = None
) -> tuple[Cost, dict[str, Any]]:
    """Run one of our programs, whose last line is a JSON object, perhaps with `inside`."""
    cost, text = command(argv, env=env, cwd=cwd)
    said: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return Cost(cost.wall, cost.cpu, said.get("inside")), said


def disk(*roots: Path) -> int:
    """Bytes of all files below, by length."""
    files = (file for root in roots for file in root.rglob("*"))
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())


def empty(folder: Path) -> Path:
    """The folder, new and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def settle(place: Path, size: int = 0) -> None:
    """Bring the machine into the same state before every step.

    What earlier steps left in memory is written out. Then a little more than `size` is written and
    dropped, so that the step gets memory which the machine has touched before: on a virtual machine
    the first touch of a page costs ten times a copy, and which tool happened to pay that would be
    chance.
    """
    os.sync()
    scratch = place / "scratch.bin"
    block = bytes(1 << 20)
    with scratch.open("wb", buffering=0) as file:
        for _ in range(size + size // 4 >> 20):
            file.write(block)
    scratch.unlink()


def flushed() -> float:
    """Seconds until everything that was written is on disk."""
    start = time.perf_counter()
    os.sync()
    return time.perf_counter() - start


def warm(*roots: Path) -> None:
    """Read files once, so that every tool finds them in memory."""
    buffer = bytearray(1 << 22)
    for root in roots:
        for path in [root] if root.is_file() else [p for p in root.rglob("*") if p.is_file()]:
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def same(one: Path, other: Path) -> bool:
    """Whether two files are equal byte for byte."""
    return subprocess.run(["cmp", "-s", str(one), str(other)], check=False).returncode == 0
