"""One child process that runs tasks: started, asked, watched and ended from here."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.errors import Unavailable
from modelyard.formats.reading import printable
from modelyard.optimization.engines.child import CODE
from modelyard.optimization.engines.interface import Result
from modelyard.runtimes.starting import start_code
from modelyard.runtimes.watch import Exceeded, Watch
from modelyard.runtimes.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.optimization.engines.interface import Limits, Task

__all__ = ["RUNNER", "Told", "Worker"]

RUNNER: Final = "modelyard.optimization.tasks:run_task"
"""The function that runs a task: `run_task(task, tell) -> Result`."""

_STUBBORN: Final = 30.0
"""Seconds that a task has to end once it was given up."""
_LARGEST: Final = 64 << 20
"""Bytes of one line."""

Told = tuple[str, float | None]
"""What a task does, and how good it is so far."""


class Worker:
    """A process that runs one task at a time. What happens in it harms nobody else."""

    def __init__(self, limits: Limits, runner: str = RUNNER) -> None:
        """Start it. Unavailable `no-process`: the machine can't."""
        self._limits = limits
        self._scratch = tempfile.mkdtemp(prefix="modelyard-")
        self._words = Words()
        self._socket, theirs = socket.socketpair()
        life, self._life = os.pipe()
        bounds = {
            "parent": os.getpid(), "folder": self._scratch, "scratch": self._scratch,
            "memory": limits.memory, "network": False, "isolated": False,
        }  # fmt: skip
        try:
            self._process = start_code(
                CODE, [json.dumps(bounds), str(theirs.fileno()), str(life), runner],
                [theirs.fileno(), life],
                scratch=Path(self._scratch), threads=limits.threads, errors=self._words.fileno(),
            )  # fmt: skip
        except OSError as error:
            self._socket.close()
            os.close(self._life)
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise Unavailable("no-process", f"no process could be started: {error}") from None
        finally:
            theirs.close()
            os.close(life)
        self._socket.setblocking(False)
        self._end = weakref.finalize(
            self, _end, self._process, self._socket, self._life, self._scratch, self._words
        )
        self._rest = b""
        self._watch: Watch | None = None
        self._stop_by = float("inf")
        self.task: Task | None = None
        """What it works on."""
        self.done = 0
        """Tasks that ended in it."""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._end.alive and self._process.poll() is None

    def fileno(self) -> int:
        """Readable when it says something."""
        return self._socket.fileno()

    def begin(self, task: Task) -> None:
        """Run a task; `heard` tells of it."""
        self.task = task
        self._stop_by = float("inf")
        self._watch = Watch(
            self.pid, seconds=self._limits.seconds, memory=self._limits.memory, scratch=None
        )
        self._send(msgspec.json.encode(task))

    def answer(self, *, give_up: bool) -> None:
        """After it told a score: whether it is to end."""
        if give_up:
            self._stop_by = time.monotonic() + _STUBBORN
        self._send(b"stop" if give_up else b"go")

    def heard(self) -> Iterator[Told | Result]:
        """What it said meanwhile; a `Result` once its task has ended, in whatever way."""
        try:
            for line in self._lines():
                yield from self._meant(line)
            if self._watch is not None:
                self._watch()
            if time.monotonic() > self._stop_by:
                yield self._ended("given up: others were better at the same place", pruned=True)
        except Exceeded as exceeded:
            taken = f"took longer than its limit of {exceeded}" if exceeded.of_time else exceeded
            reason = f"it {taken}" if exceeded.of_time else str(taken)
            yield self._ended(reason)
        except EOFError:
            yield self._ended(self._fate())
        except ValueError:
            yield self._ended("its process said something that can't be read")

    def close(self) -> None:
        """Stop it and all that it started. It may be called again."""
        self._end()

    def _meant(self, line: bytes) -> Iterator[Told | Result]:
        """ValueError: it is no line of ours."""
        content = msgspec.json.decode(line)
        if not isinstance(content, dict):
            raise ValueError
        if "tell" in content and self.task is not None:
            what, score = content["tell"]
            yield printable(str(what), 200), score if isinstance(score, float) else None
        elif "result" in content and self.task is not None:
            try:
                result = decode_json(msgspec.json.encode(content["result"]), Result)
            except Exception as error:
                raise ValueError from error
            if result.trial != self.task.trial:
                raise ValueError
            self._forget()
            yield result

    def _ended(self, reason: str, *, pruned: bool = False) -> Result:
        """The result of a task whose process is gone."""
        self.close()
        trial = -1 if self.task is None else self.task.trial
        self._forget()
        return Result(trial=trial, state="pruned" if pruned else "failed", reason=reason)

    def _forget(self) -> None:
        self.task, self._watch, self._stop_by = None, None, float("inf")
        self.done += 1

    def _send(self, line: bytes) -> None:
        """Lines are short, or come while it waits for them; what it can't take ends with it."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(30)
            try:
                self._socket.sendall(line + b"\n")
            finally:
                self._socket.setblocking(False)

    def _lines(self) -> Iterator[bytes]:
        """EOFError: its process has ended."""
        gone = False
        while not gone:
            try:
                data = self._socket.recv(1 << 18)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            gone = not data
            self._rest += data
            if len(self._rest) > _LARGEST:
                raise ValueError
        *lines, self._rest = self._rest.split(b"\n")
        yield from lines
        if gone:
            raise EOFError

    def _fate(self) -> str:
        """Why a process ended that nobody stopped."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        code = self._process.returncode
        said = self._words.last()
        tail = f" ({said})" if said else ""
        if code == -signal.SIGKILL:
            return "its process was killed, probably because the machine had no memory left"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"its process crashed ({signal.Signals(-code).name})"
        return f"its process left with code {code}{tail}"


def _end(
    process: subprocess.Popen[bytes], connection: socket.socket, life: int, scratch: str,
    words: Words,
) -> None:  # fmt: skip
    """Its group is what it started: workers of joblib, programs."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    connection.close()
    os.close(life)
    words.close()
    _remove(scratch)


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
