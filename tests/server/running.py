"""A real `yard server` on a free port, for tests of the server and of its clients."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Running", "running", "start"]

_PATIENCE = 60.0


@dataclass
class Running:
    """One server: `url`, the admin's `token`, its `process`, and what it wrote to stderr."""

    folder: Path
    url: str
    token: str | None
    """Only the first server of a yard shows it; None with `accounts=False`, or later."""
    process: subprocess.Popen[str]
    log: Path
    ready_after: float = 0.0
    """Seconds from its start to its first answer."""
    link: str | None = None
    lines: list[str] = field(default_factory=list)
    """All that it wrote to stdout."""

    def client(self, token: str | None = None, **options: Any) -> httpx2.Client:
        """A client of the API that shows a token; the admin's if none is named, "" for none."""
        shown = self.token if token is None else token
        headers = {"authorization": f"Bearer {shown}"} if shown else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=60, **options)

    def stop(self, patience: float = 30.0) -> int:
        """In peace; its exit code."""
        self.process.terminate()
        return self.process.wait(patience)

    def log_text(self) -> str:
        return self.log.read_text()


def start(
    folder: Path, *words: str, command: str = "server", env: Mapping[str, str] | None = None
) -> Running:
    """Start a server of the yard in a folder, which is made if it is not there."""
    log = folder.parent / f"{folder.name}-server-{time.time_ns()}.log"
    began = time.monotonic()
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "modelyard", command,
                "--yard", str(folder), "--port", "0", *words,
            ],
            stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    assert process.stdout is not None
    one = Running(folder, "", None, process, log)
    first = process.stdout.readline()
    if not first.startswith("serving "):
        process.kill()
        raise RuntimeError(f"no server: {first}{process.stdout.read()}{log.read_text()[-3000:]}")
    one.url = first.split()[1]
    one.lines.append(first.rstrip())
    limit = time.monotonic() + _PATIENCE
    while time.monotonic() < limit:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{one.url}/health", timeout=5).status_code == 200:
                break
        time.sleep(0.01)
    one.ready_after = time.monotonic() - began
    _read_more(one)
    return one


def _read_more(one: Running) -> None:
    """What follows the first line is there already: it is written at once."""
    stream = one.process.stdout
    assert stream is not None
    os.set_blocking(stream.fileno(), False)
    with contextlib.suppress(TypeError, BlockingIOError):
        for line in stream:
            one.lines.append(line.rstrip())
            if line.startswith("token: "):
                one.token = line.split()[1]
            elif line.startswith("link: "):
                one.link = line.split()[1]


@contextlib.contextmanager
def running(folder: Path, *words: str, **settings: Any) -> Iterator[Running]:
    """A server as long as the block lasts; `accounts=False`, `workers=2`, `allow_host="x"` ..."""
    env = settings.pop("env", None)
    command = settings.pop("command", "server")
    options = list(words)
    for name, value in settings.items():
        if name == "accounts":
            options += [] if value else ["--no-accounts"]
        elif isinstance(value, bool):
            options += [f"--{name.replace('_', '-')}"] if value else []
        else:
            for one_value in value if isinstance(value, (list, tuple)) else [value]:
                options += [f"--{name.replace('_', '-')}", str(one_value)]
    one = start(folder, *options, command=command, env=env)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.wait(40)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()
