"""wrk, told by a Lua script what to post; its numbers come back as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.serving.machine import LOUD, Watch, processor, wait_for_quiet

if TYPE_CHECKING:
    from tests.benchmarks.serving.peers import Asked, Up

__all__ = ["Sample", "ask"]

SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True, slots=True)
class Sample:
    """What wrk counted."""

    rate: float
    """Requests per second."""
    p50: float
    p99: float
    """Milliseconds."""
    bad: int
    """Answers that are no 2xx, and connections that broke."""
    cpu: float
    """Microseconds of the server's processor time per request."""
    foreign: float
    """Cores that others took meanwhile."""

    @property
    def loud(self) -> bool:
        return self.foreign > LOUD

    @property
    def note(self) -> str:
        """For the page."""
        said = f"{self.rate:,.0f}/s, p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms"
        said += f", {self.cpu:.0f} us of processor each"
        said += f", {self.bad} bad" if self.bad else ""
        return said + (f", others took {self.foreign:.1f} cores" if self.loud else "")


def ask(
    up: Up, asked: Asked, connections: int, *, seconds: int = 3, tries: int = 3,
    patience: float = 60.0,
) -> Sample:  # fmt: skip
    """Post one question over and over; of several tries the quietest."""
    _wrk(asked, connections, 1)
    found: list[Sample] = []
    for _ in range(tries):
        wait_for_quiet(up.pids, patience / tries)
        watch, before = Watch(up.pids), processor(*up.pids)
        told = _wrk(asked, connections, seconds)
        foreign, cpu = watch.foreign, processor(*up.pids) - before
        count = max(told["requests"], 1)
        found.append(
            Sample(
                told["requests"] / told["seconds"], told["p50"] / 1e3, told["p99"] / 1e3,
                told["bad"], cpu / count * 1e6, foreign,
            )
        )  # fmt: skip
        if not found[-1].loud:
            break
    return min(found, key=lambda sample: sample.foreign)


def _wrk(asked: Asked, connections: int, seconds: int) -> dict[str, float]:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    with tempfile.NamedTemporaryFile(suffix=".body") as body:
        body.write(asked.body)
        body.flush()
        headers = [f"{name}: {value}" for name, value in asked.headers.items()]
        argv = [
            wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(SCRIPT),
            f"http://127.0.0.1:{asked.port}{asked.path}", "--", body.name, *headers,
        ]  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
