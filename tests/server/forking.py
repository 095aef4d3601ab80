"""Server processes that begin in a moment: a parent that has imported everything forks each.

`python -m tests.server.forking` reads the folder of a yard a line, and answers `PID URL`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Nursery"]


class Nursery:
    """Gives servers without accounts, each with a yard and a process of its own."""

    def __init__(self, log: Path) -> None:
        self._errors = log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.forking"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip

    @contextlib.contextmanager
    def serving(self, folder: Path) -> Iterator[str]:
        """A server of the yard in a folder, which is made; gives its URL."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        pid, url = self._process.stdout.readline().split()
        try:
            yield url
        finally:
            os.kill(int(pid), signal.SIGTERM)
            limit = time.monotonic() + 40
            while _lives(int(pid)) and time.monotonic() < limit:
                time.sleep(0.005)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._errors.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _serve(folder: str) -> None:
    from modelyard.registry import create
    from modelyard.server.run import serve
    from modelyard.server.settings import Settings

    create(folder, author="server").close()
    settings = Settings(port=0, accounts=False, logs="warnings")
    serve(folder, settings, announce=lambda begun: print(os.getpid(), begun.url, flush=True))


def _main() -> None:
    import fastapi  # noqa: F401 - so that no child has to
    import uvicorn  # noqa: F401
    import uvloop  # noqa: F401

    import modelyard.registry.local
    import modelyard.server.app
    import modelyard.server.run  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while line := sys.stdin.readline():
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(0)
            os.open(os.devnull, os.O_RDONLY)
            try:
                _serve(line.strip())
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)


if __name__ == "__main__":
    _main()
