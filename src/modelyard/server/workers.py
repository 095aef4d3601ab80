"""Several processes that share one port: begun, begun again if one dies, and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.errors import Unavailable
from modelyard.server.settings import Settings

__all__ = ["supervise"]

_QUICK_SECONDS = 5.0
"""A worker that ends sooner after its start will not do better the next time."""


class _Order(msgspec.Struct):
    """What a worker is told, by its stdin; which stays open as long as its parent lives."""

    folder: str
    author: str
    descriptor: int
    settings: Settings


def supervise(
    folder: Path,
    settings: Settings,
    author: str,
    listener: socket.socket,
    started: Callable[[], None],
) -> None:
    """Run workers until SIGTERM or SIGINT. Unavailable: `workers-end` if none can live."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    order = msgspec.json.encode(_Order(str(folder), author, listener.fileno(), settings))
    workers: list[_Worker] = []
    with tempfile.TemporaryDirectory(prefix="yard-metrics-") as metrics:
        try:
            workers += [_Worker(order, listener, metrics) for _ in range(settings.workers)]
            if all(worker.is_ready() for worker in workers):
                started()
            else:
                raise _no_life()
            while not stop.wait(0.2):
                for place, worker in enumerate(workers):
                    if worker.process.poll() is not None:
                        if time.monotonic() - worker.began < _QUICK_SECONDS:
                            raise _no_life()
                        workers[place] = _Worker(order, listener, metrics)
        finally:
            for worker in workers:
                worker.process.terminate()
            limit = time.monotonic() + settings.stop_seconds * 2 + 5
            for worker in workers:
                worker.end(limit)
            for number, handler in before.items():
                signal.signal(number, handler)


def _no_life() -> Unavailable:
    return Unavailable("workers-end", "a worker ended as soon as it began", hint="look at its log")


class _Worker:
    def __init__(self, order: bytes, listener: socket.socket, metrics: str) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "modelyard.server.workers"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[listener.fileno()],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics},
        )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(order + b"\n")
        self.process.stdin.flush()

    def is_ready(self) -> bool:
        assert self.process.stdout is not None
        return self.process.stdout.readline() == b"ready\n"

    def end(self, limit: float) -> None:
        try:
            self.process.wait(max(0.1, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _main() -> None:
    from modelyard.server.run import run_worker

    order = decode_json(sys.stdin.buffer.readline(), _Order)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    listener = socket.socket(fileno=order.descriptor)
    run_worker(Path(order.folder), order.settings, order.author, listener)


def _end_with_parent() -> None:
    """The parent's end of stdin closes when it dies, however it dies."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _main()
