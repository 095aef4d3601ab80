"""What Ray's workers do: run a task in a child process as the local engine does, and send it back.

So the child is the same, with the same variables and limits, and gives the same results.
"""

from __future__ import annotations

import atexit
import select
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.optimization.engines.bundles import packed, unpacked
from modelyard.optimization.engines.interface import Place, Result, Task
from modelyard.optimization.engines.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelyard.optimization.engines.interface import Limits

__all__ = ["Parcel", "run_parcel"]

_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Parcel:
    """A task on its way to a worker."""

    task: bytes
    """As JSON."""
    limits: Limits
    runner: str
    token: str
    """Of the engine: a file of this name lies in the folder that all its tasks share."""
    contents: Mapping[str, Any]
    """By path: folders and files as bytes, as Ray keeps them: fetched only where they are needed.
    """


_workers: dict[tuple[Limits, str], Worker] = {}
"""One child for each kind of task, kept for the next."""
_homes: dict[str, Path] = {}
"""By engine: where its files are on this machine, if it does not see those of who sent them."""


def run_parcel(parcel: Parcel, mailbox: Any) -> tuple[bytes, bytes | None]:
    """Run a task; its result as JSON, and the files that it made if who sent it can't see them."""
    import ray

    task = decode_json(parcel.task, Task)
    if Path(task.made, parcel.token).exists():
        return msgspec.json.encode(_run(task, parcel, mailbox)), None
    mine = _at_home(task, parcel, lambda path: ray.get(parcel.contents[path]))
    result = _run(mine, parcel, mailbox)
    files = None if result.place is None else packed(Path(result.place.folder))
    shutil.rmtree(mine.out, ignore_errors=True)
    return msgspec.json.encode(result), files


def _run(task: Task, parcel: Parcel, mailbox: Any) -> Result:
    import ray

    key = (parcel.limits, parcel.runner)
    worker = _workers.pop(key, None)
    if worker is None or not worker.alive:
        worker = Worker(*key)
    try:
        worker.begin(task)
        while True:
            select.select([worker], [], [], _EVERY)
            for heard in worker.heard():
                if isinstance(heard, Result):
                    if worker.alive:
                        _workers[key] = worker
                    return heard
                what, score = heard
                give_up = ray.get(mailbox.tell.remote(task.trial, what, score))
                if score is not None:
                    worker.answer(give_up=give_up)
    finally:
        if _workers.get(key) is not worker:
            worker.close()


def _at_home(task: Task, parcel: Parcel, fetch: Callable[[str], bytes]) -> Task:
    """The task with all that it names on this machine."""
    if parcel.token not in _homes:
        _homes[parcel.token] = Path(tempfile.mkdtemp(prefix="modelyard-"))
        atexit.register(shutil.rmtree, _homes[parcel.token], ignore_errors=True)
    home = _homes[parcel.token]
    (home / "made").mkdir(exist_ok=True)

    def here(path: str) -> Path:
        place = home / f"{abs(hash_of(path)):x}"
        return place if place.exists() else unpacked(fetch(path), place)

    def placed(place: Place) -> Place:
        return replace(place, folder=str(here(place.folder)))

    data = task.data
    if data is not None:
        data = str(here(data) / Path(data).name)
    return replace(
        task, source=placed(task.source), out=tempfile.mkdtemp(prefix="out-", dir=home),
        made=str(home / "made"), data=data,
        candidates=tuple((trial, placed(each)) for trial, each in task.candidates),
    )  # fmt: skip


def hash_of(path: str) -> int:
    """A number for a path, the same in every process."""
    import hashlib

    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big")
