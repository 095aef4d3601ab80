"""The other end of `worker.Worker`: a process that runs one task after the other.

Nothing but the standard library is imported before the network is cut. Lines of JSON go both ways:
`task` comes in; `tell` and `result` go out; after a `tell` with a score, `go` or `stop` comes in.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from importlib import import_module
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import ModelyardError
from modelyard.runtimes.sandbox import Bounds, enter

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.engines.interface import Result, Task

__all__ = ["CODE", "GivenUp", "reason_of", "run"]

CODE: Final = (
    "import sys, json; sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path];"
    "from modelyard.optimization.engines.child import run; run()"
)
"""What a new Python runs to be such a process: `CODE PATHS BOUNDS SOCKET PIPE RUNNER`."""


class GivenUp(BaseException):
    """A trial is worse than others at the same place. Passes must not catch it."""


def run() -> None:
    """Serve the inherited socket until the other end closes it."""
    bounds, descriptor, life, runner = sys.argv[2:6]
    found = Bounds(**json.loads(bounds))
    _guard(int(life), found.scratch)
    enter(found)
    _Child(socket.socket(fileno=int(descriptor))).serve(runner)


def _guard(life: int, scratch: str) -> None:
    """A process that waits until who started this one is gone, and then ends all of this group.

    The kernel ends this process with its parent, but not the workers and programs that libraries
    may have started here; and nobody else would remove what they have written.
    """
    if os.fork():
        os.close(life)
        return
    try:
        os.dup2(life, 0)
        os.closerange(1, 1 << 16)
        os.read(0, 1)  # nobody writes: it returns when the other end is closed
        group = os.getpgrp()
        if os.fork() == 0:
            os.setsid()
            os.killpg(group, signal.SIGKILL)  # this number is the group's while the guard lives
            _remove(scratch)
            os._exit(0)
        signal.pause()
    finally:
        os.killpg(0, signal.SIGKILL)
        os._exit(0)


def _remove(folder: str) -> None:
    """Those that were killed may still be writing for a moment."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(0.1)


class _Child:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._tasks: SimpleQueue[bytes] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def serve(self, runner: str) -> None:
        from modelyard.core.decoding import decode_json
        from modelyard.optimization.engines.interface import Task

        module, _, name = runner.partition(":")
        function: Callable[..., Result] = getattr(import_module(module), name)
        self._send(b'{"ready":true}')
        while True:
            task = decode_json(self._tasks.get(), Task)
            self._send(b'{"result":' + _encoded(_result(function, task, self._tell)) + b"}")

    def _tell(self, what: str, score: float | None = None) -> None:
        """Raises `GivenUp`."""
        known = None if score is None else float(score)
        if known is not None and not abs(known) < float("inf"):
            known = None
        self._send(json.dumps({"tell": [str(what)[:200], known]}).encode())
        if known is not None and not self._answers.get():
            raise GivenUp

    def _listen(self) -> None:
        """Until nobody is there any more: then this process ends."""
        with self._connection.makefile("rb") as stream:
            for line in stream:
                if line == b"go\n":
                    self._answers.put(True)
                elif line == b"stop\n":
                    self._answers.put(False)
                else:
                    self._tasks.put(line)
        os._exit(1)  # the guard ends all others: it must live to remove what they have written

    def _send(self, line: bytes) -> None:
        self._connection.sendall(line + b"\n")


def _result(
    function: Callable[..., Result], task: Task, tell: Callable[[str, float | None], None]
) -> Result:
    from modelyard.optimization.engines.interface import Result

    try:
        return function(task, tell)
    except GivenUp:
        reason = "given up: others were better at the same place"
        return Result(trial=task.trial, state="pruned", reason=reason)
    except Exception as error:
        return Result(trial=task.trial, state="failed", reason=reason_of(error))


def reason_of(error: Exception) -> str:
    """Why a trial failed, in a sentence for people: what we say ourselves, or a first line."""
    if isinstance(error, ModelyardError):
        return error.message[:1000]
    if isinstance(error, MemoryError):
        return "it wanted more memory than it may have"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:500]}" if lines else type(error).__name__


def _encoded(result: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(result)
