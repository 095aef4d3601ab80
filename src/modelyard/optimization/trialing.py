"""What a worker does: run a trial's passes and measure what they made, or prove candidates."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.core.decoding import converted
from modelyard.core.optimization import PassDone
from modelyard.optimization.engines.interface import Place, Result
from modelyard.optimization.making import canonical
from modelyard.optimization.measuring import (
    costs,
    higher_is_better,
    latencies,
    metrics,
    primary,
)
from modelyard.optimization.splitting import Split, columns_of, read_rows, split
from modelyard.optimization.state import Rows, Work, pass_seed
from modelyard.optimization.stepping import run_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.optimization.engines.interface import Task
    from modelyard.optimization.state import Model
    from modelyard.optimization.state import Task as Kind

__all__ = ["parts_of", "run_trial"]

_TIMED_ROWS = 2000
_RESULT = "result.json"


def parts_of(task: Task) -> Split | None:
    """The rows of a task, split as its seed says; None without data."""
    if task.data is None:
        return None
    rows = read_rows(Path(task.data), task.target)
    columns = columns_of(task.source.model(), rows.inputs, may_load=True)
    return split(
        rows, holdout=task.holdout, valid=task.valid, seed=task.seed, columns=columns
    )  # fmt: skip


def _measured(
    model: Model, source: Model, rows: Rows | None, task: Kind, *, seed: int, timed: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics and costs of a model, and of the version that it came from, side by side."""
    both = []
    for each in (model, source):
        found = costs(each)
        if rows is not None:
            found |= metrics(each, rows, task=task, source=source, seed=seed)
            best = found[primary(task)]
            found["quality"] = best if higher_is_better(primary(task)) else -best
        both.append(found)
    if timed and rows is not None:
        asked = rows.inputs.take(slice(0, _TIMED_ROWS))
        for found, timing in zip(both, latencies([model, source], asked), strict=True):
            found["latency_p50"] = timing.p50
            found["batch_latency_p50"] = timing.batch_p50
    return both[0], both[1]


def run_trial(task: Task, tell: Callable[[str, float | None], None]) -> Result:
    source = task.source.model()
    parts = parts_of(task)
    if task.whole and task.data is not None and parts is not None:
        parts = replace(parts, train=read_rows(Path(task.data), task.target))
    work = Work(
        task=task.task, train=None if parts is None else parts.train,
        valid=None if parts is None else parts.valid, source=source,
        scratch=Path(task.out), seed=task.seed, tell=tell, judges=not task.whole,
    )  # fmt: skip
    model, done = _walk(task, source, work)
    tell("measure", None)
    after, before = _measured(
        model, source, work.valid, task.task, seed=task.seed, timed=task.timed
    )  # fmt: skip
    return Result(
        trial=task.trial, state="done", place=Place.of(model), values=after, before=before,
        steps=tuple(done), digest=model.digest,
    )  # fmt: skip


def _walk(task: Task, source: Model, work: Work) -> tuple[Model, list[PassDone]]:
    """Through all passes, beginning where an earlier trial that began alike has been."""
    model, done, known = _known_of(task, source)
    for place in range(known, len(task.steps)):
        step = task.steps[place]
        work.tell(step.name, None)
        scratch = Path(tempfile.mkdtemp(prefix=f"{place}-{step.name}-", dir=task.out))
        mine = replace(work, scratch=scratch, seed=pass_seed(task.seed, step.place, step.name))
        model, told, rows = run_pass(step.name, model, step.params, mine)
        done.append(told)
        if rows is not None:
            work = work.with_rows(rows)
            known = -1  # rows are not kept: what follows is this trial's alone
        if known >= 0:
            model = _kept(task, place + 1, model, done)
    return model, done


def _key(task: Task, count: int) -> str:
    """By what a model after so many passes is decided."""
    told = [msgspec.to_builtins(task.steps[:count]), task.whole, task.source.folder]
    return hashlib.sha256(canonical(told).encode()).hexdigest()[:32]


def _known_of(task: Task, source: Model) -> tuple[Model, list[PassDone], int]:
    """The longest beginning of the passes that was run before: its model, and how many."""
    for count in range(len(task.steps), 0, -1):
        folder = Path(task.made) / _key(task, count)
        try:
            content = json.loads((folder / _RESULT).read_bytes())
        except (OSError, ValueError):
            continue
        place = replace(converted(content["place"], Place), trusted=task.source.trusted)
        steps = converted(content["steps"], tuple[PassDone, ...])
        return place.model(), list(steps), count
    return source, [], 0


def _kept(task: Task, count: int, model: Model, done: Sequence[PassDone]) -> Model:
    """Keep what so many passes made where other trials find it; whole, or not at all."""
    home = Path(task.made)
    folder = home / _key(task, count)
    if folder.exists():
        return model
    if Path(task.out) not in model.folder.parents:  # it is kept already: nothing was changed
        return model
    room = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    shutil.copytree(model.folder, room / "model", copy_function=_linked)
    moved = replace(Place.of(model), folder=str(folder / "model"))
    content: dict[str, Any] = {
        "place": msgspec.to_builtins(moved), "steps": msgspec.to_builtins(tuple(done)),
    }  # fmt: skip
    (room / _RESULT).write_bytes(msgspec.json.encode(content))
    try:
        room.rename(folder)
    except OSError:  # another trial was faster
        shutil.rmtree(room, ignore_errors=True)
        return model
    return moved.model()


def _linked(source: str, target: str) -> None:
    """The same bytes under another name, where the file system can do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
