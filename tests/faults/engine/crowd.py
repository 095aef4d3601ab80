"""Several writers on one branch, in threads and in processes, one of which may be killed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.faults.engine.yards import commit_files, noise

from modelyard.errors import ModelyardError
from modelyard.testing.victim import open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.engine.check import Findings
    from tests.faults.engine.yards import Wanted

__all__ = ["check_line", "write_many"]

MODEL = "shared"


def write_many(send, folder: str, desk: Path, seed: int, threads: int, count: int) -> tuple:
    """Commit to one branch over and over; tells every version. Gives what was refused."""
    refused: list[str] = []
    lock = threading.Lock()

    def tell(message: tuple) -> None:
        with lock:
            send(message)

    def work(number: int) -> None:
        place = desk / f"{seed}-{number}"
        for turn in range(count):
            files = noise(seed * 10_000 + number * 100 + turn, 4000)
            try:
                tell(commit_files(yard, place, MODEL, files, "main"))
            except ModelyardError as error:
                refused.append(error.kind)

    yard = open_folder(folder)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    yard.close()
    return ("finished",), refused


def check_line(folder: Path, wanted: Wanted, found: Findings, *, killed: bool) -> None:
    """Every version has the one before it as its parent, and none was given out twice."""
    yard = open_folder(str(folder))
    try:
        line = list(yard.log(MODEL, "main"))
    finally:
        yard.close()
    numbers = [version.number for version in line]
    if numbers != list(range(len(numbers), 0, -1)):
        found.wrong.append(f"the history is {numbers}")
    for version in line:
        before = (version.number - 1,) if version.number > 1 else ()
        if tuple(version.parents) != before:
            found.wrong.append(f"{version.number} has the parents {version.parents}")
    told = sum(model == MODEL for model, _ in wanted.versions)
    if not killed and told != len(numbers):
        found.wrong.append(f"{told} were acknowledged, {len(numbers)} are there")
