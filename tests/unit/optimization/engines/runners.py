"""What child processes of the tests run instead of trials: `function(task, tell) -> Result`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.optimization.engines.interface import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.engines.interface import Task

    Tell = Callable[[str, float | None], None]


def by_trial(task: Task, tell: Tell) -> Result:
    """What it does is told by the number of the trial."""
    what = {1: crash, 2: hang, 3: eat, 4: leave, 5: raise_it, 6: ask_the_network}.get(task.trial)
    tell("begun", None)
    if what is not None:
        what()
    return Result(
        trial=task.trial, state="done", values={"seed": float(task.seed)},
        reason=f"{os.getpid()} {hash('a text')} {os.environ.get('OMP_NUM_THREADS')}",
    )  # fmt: skip


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    time.sleep(600)


def eat() -> None:
    kept = [bytearray(1 << 26) for _ in range(1000)]
    raise AssertionError(len(kept))


def leave() -> None:
    print("I have had enough", file=sys.stderr, flush=True)
    os._exit(7)


def raise_it() -> None:
    raise ZeroDivisionError("so much for that\nand more")


def ask_the_network() -> None:
    socket.create_connection(("127.0.0.1", 9), 1)


def scores(task: Task, tell: Tell) -> Result:
    """Tells ten scores, the better the higher the trial."""
    for step in range(10):
        tell("round", float(task.trial * 10 + step))
    return Result(trial=task.trial, state="done")


def stubborn(task: Task, tell: Tell) -> Result:
    """Does not give up."""
    while True:
        try:
            tell("round", 0.0)
        except BaseException:
            time.sleep(600)


def with_child(task: Task, tell: Tell) -> Result:
    """Starts a process of its own, and writes down who they are."""
    inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    rough = Path(task.out, "rough")
    rough.write_text(f"{os.getpid()} {inner.pid}")
    rough.rename(rough.with_name("pids"))  # who waits for it reads it at once
    tell("started", None)
    time.sleep(600)
    return Result(trial=task.trial, state="done")


def writes(task: Task, tell: Tell) -> Result:
    """Makes a model of the source's file, the data and the seed."""
    from modelyard.optimization.engines.interface import Place

    tell("write", 1.0)
    made = Path(task.out, "model")
    made.mkdir()
    content = Path(task.source.folder, "weights.txt").read_text()
    assert task.data is not None
    rows = Path(task.data).read_text()
    (made / "weights.txt").write_text(f"{content} {rows} {task.seed} {hash('a text')}")
    place = Place.of(task.source.model())
    place = Place(folder=str(made), saved=place.saved)
    return Result(trial=task.trial, state="done", place=place, digest=place.model().digest)
