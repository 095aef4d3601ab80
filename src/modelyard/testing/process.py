"""Work in other processes that start in some 10 ms and may be killed at any moment.

A nursery is one process that has imported everything and has nothing open. Each `start` forks it,
so a worker is as new as a freshly started interpreter: no yard, no connection, no thread of before.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["Gone", "Nursery", "Send", "Worker"]

Result = TypeVar("Result")
Send = Callable[[object], None]
"""Tells something to the process that started this one; it has it when the call returns."""


class Gone(Exception):
    """The worker died before it answered."""


class Worker:
    """One process. `call` runs an importable function in it and gives what that returns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pid: int = connection.recv()
        self.gone = False

    def call(self, function: Callable[..., Result], *args: object) -> Result:
        self._connection.send((function, args, False))
        for kind, value in self.told():
            if kind == "result":
                return value  # type: ignore[no-any-return]
        raise Gone(f"process {self.pid} died in {function.__name__}")

    def begin(self, function: Callable[..., Any], *args: object) -> None:
        """Start a function whose first argument is a `Send`; `told` gives what it sends."""
        self._connection.send((function, args, True))

    def told(self, until: float | None = None) -> Iterator[tuple[str, Any]]:
        """What the worker says, up to its result, its death or a moment of `time.monotonic`."""
        while True:
            if until is not None and not self._connection.poll(max(until - time.monotonic(), 0)):
                return
            try:
                kind, value = self._connection.recv()
            except (EOFError, ConnectionResetError):
                return
            if kind == "error":
                raise value
            yield kind, value
            if kind == "result":
                return

    def kill(self) -> None:
        """SIGKILL; returns when nothing of the process is left."""
        if self.gone:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        while True:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                self.gone = True
                return
            time.sleep(0.001)

    def stop(self) -> None:
        """Let it end by itself."""
        self._connection.close()
        self.wait()

    def drain(self) -> list[tuple[str, Any]]:
        """What a dead worker had still said."""
        return list(self.told(time.monotonic() + 1.0))


class Nursery:
    """Makes workers. Use it as a context: what still lives at its end is killed.

    Args:
        prepare: `module:function`, called once before any worker is made: what it imports and
            changes, all workers have.
    """

    def __init__(self, prepare: str = "modelyard.testing.victim:warm_up_somewhere") -> None:
        self._prepare = prepare

    def __enter__(self) -> Nursery:
        self._folder = tempfile.TemporaryDirectory(prefix="nursery")
        address = str(Path(self._folder.name) / "door")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSE, address, self._prepare],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # so that a fork copies one thread
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the nursery did not start")
        self._address = address
        self._workers: list[Worker] = []
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
        self._process.communicate()
        self._folder.cleanup()

    def start(self) -> Worker:
        worker = Worker(Client(self._address))
        self._workers.append(worker)
        return worker


_NURSE = f"import sys; from {__name__} import _nurse; _nurse(*sys.argv[1:])"


def _nurse(address: str, prepare: str) -> None:
    module, _, function = prepare.partition(":")
    getattr(importlib.import_module(module), function)()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # dead workers leave no zombie
    with Listener(address) as listener:
        os.write(1, b"ready\n")
        door: Any = listener
        waiting = [0, door._listener._socket.fileno()]
        while 0 not in select.select(waiting, [], [])[0]:
            connection = listener.accept()
            if os.fork() == 0:
                _live(connection)
            connection.close()


def _live(connection: Connection) -> None:
    """The life of a worker: answer until the other side hangs up."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.send(os.getpid())
        while True:
            function, args, sends = connection.recv()
            if sends:
                args = (_teller(connection), *args)
            connection.send(_answer(function, args))
    except (EOFError, ConnectionError):
        status = 0
    finally:
        os._exit(status)


def _teller(connection: Connection) -> Send:
    return lambda value: connection.send(("told", value))


def _answer(function: Callable[..., object], args: tuple[object, ...]) -> tuple[str, object]:
    from modelyard.errors import ModelyardError

    try:
        return "result", function(*args)
    except ModelyardError as error:
        return "error", error
    except Exception:
        return "error", RuntimeError(f"in process {os.getpid()}:\n{traceback.format_exc()}")
