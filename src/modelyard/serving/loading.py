"""A version out of the yard, ready to answer: its files, its runtime, and a first try of it.

All of it is slow and blocks: engines call it in threads. What comes back was asked twice with the
version's example, so that a version that can't answer never gets a request.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import ModelyardError, Unavailable
from modelyard.registry.saving import stored
from modelyard.serving.rooms import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelyard.core.deployment import Placement
    from modelyard.registry.desk import Desk
    from modelyard.runtimes.tensors import TensorRuntime, TensorSpec
    from modelyard.serving.interface import Array, Feeds, Wanted
    from modelyard.serving.modes import Measured

__all__ = ["Opened", "Tried", "open_wanted", "resident_bytes", "try_out"]

_TEXT = ("string", "bytes")
_UNTRIED = "not tried"


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What was found when a version was tried: it holds as long as nothing else is wanted."""

    example: Mapping[str, Array] | None
    note: str | None
    """What people should know of how it answers."""
    measured: Measured


@dataclass(slots=True, eq=False)
class Opened:
    """A loaded version that answered. Close it when nobody uses it any more."""

    model: str
    number: int
    commit: str
    runtimes: tuple[TensorRuntime, ...]
    """One, or several equal ones in workers."""
    pids: tuple[int, ...]
    """Of the processes that it lives in; none if it is this one."""
    tried: Tried
    memory: int
    """Bytes that it takes, at least those of its files."""
    closers: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """Free it. Idempotent."""
        while self.closers:
            self.closers.pop()()


def open_wanted(desk: Desk, wanted: Wanted, tried: Tried | None = None) -> Opened:
    """Load a version and try it.

    Args:
        tried: What was found when the same was loaded before; then it is asked only once.

    Raises:
        NotFound: `no-model`, `no-version`, `version-deleted`.
        Denied: `untrusted`, naming what loading would run.
        Unsupported: `no-framework`, `no-extra`.
        Unavailable: `self-test`: it loads, and does not answer as it should.
    """
    from modelyard.runtimes.examples import put_example
    from modelyard.runtimes.opening import example_of, open_version
    from modelyard.serving.modes import measure

    trust = Trust.of(TRUST_ALL if "*" in wanted.trusted else wanted.trusted)
    before = resident_bytes(os.getpid())
    closers: list[Callable[[], None]] = []
    try:
        with stored(desk, wanted.model, wanted.commit or wanted.number) as version:
            room = Room()
            folder = room.path
            closers.append(room.close)
            for each in version.files.folder().iterdir():
                os.rename(each, folder / each.name)
            is_real = put_example(folder, version.manifest.example)
            manifest, contents, saved = version.manifest, version.contents, version.saved
        opening = partial(
            open_version, folder, saved,
            trust=trust, signature=manifest.signature,
            placement=cast("Placement", wanted.placement), threads=wanted.threads,
            memory=wanted.memory, environment=manifest.environment,
        )  # fmt: skip
        runtimes = _several(opening, wanted.replicas, closers)
        runtime = runtimes[0]
        if tried is None:
            example = example_of(folder, manifest.signature, runtime.inputs, runtime.run)
            note = try_out(runtime, example, is_real=is_real)
            if example is None or (note is not None and note.startswith(_UNTRIED)):
                measured = _guessed()
            else:
                measured = measure(runtime, example)
            tried = Tried(example, note, measured)
        elif tried.example is not None and not (tried.note or "").startswith(_UNTRIED):
            runtime.run(tried.example)
        pids = tuple(each.pid for each in runtimes if each.pid is not None)
        size = sum(entry.size for entry in contents.tree.values())
        taken = resident_bytes(os.getpid()) - before + sum(map(resident_bytes, pids))
        return Opened(
            contents.model.name, contents.version.number, contents.version.commit_id.hex(),
            tuple(runtimes), pids, tried, max(size, taken), closers,
        )  # fmt: skip
    except BaseException:
        while closers:
            closers.pop()()
        raise


def try_out(runtime: TensorRuntime, example: Feeds | None, *, is_real: bool) -> str | None:
    """Ask a version twice, and look at its answers. What is told of it, or None.

    Args:
        is_real: Whether the example was stored with the version, and not made from its signature:
            then a version that finds no number for it is broken.

    Raises:
        Unavailable: `self-test`.
    """
    if example is None:
        return f"{_UNTRIED}: it has no example"
    try:
        first, second = runtime.run(example), runtime.run(example)
    except ModelyardError as error:
        if not is_real and isinstance(error, ValueError):  # the values that we made up are no use
            return f"{_UNTRIED}: {error.message}"
        raise Unavailable(
            "self-test", f"it can't answer its own example: {error.message}", hint=error.hint
        ) from error
    for answer in (first, second):
        if wrong := _why_wrong(answer, runtime.outputs):
            raise Unavailable("self-test", f"asked with its own example, it gives {wrong}")
    if is_real and _all_lost(first):
        raise Unavailable("self-test", "asked with its own example, it gives no number at all")
    if not all(_same(first[name], second[name]) for name in first):
        return "its answers differ from one time to the next"
    return None


def resident_bytes(pid: int) -> int:
    """Memory that a process has now; 0 if it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _several(
    opening: Callable[[], TensorRuntime], count: int, closers: list[Callable[[], None]]
) -> list[TensorRuntime]:
    """So many equal ones, if they are workers: in this process one is as good as many."""
    found = [opening()]
    closers.append(found[0].close)
    if count == 1 or found[0].pid is None:
        return found
    with ThreadPoolExecutor(min(count - 1, os.cpu_count() or 1)) as threads:
        futures = [threads.submit(opening) for _ in range(count - 1)]
    others = [future.result() for future in futures if future.exception() is None]
    closers += [runtime.close for runtime in others]
    for future in futures:
        future.result()
    return [*found, *others]


def _guessed() -> Measured:
    """Of a version that could not be tried: requests are computed one by one, in threads."""
    from modelyard.serving.modes import Measured

    return Measured(0.05, 0.8)


def _why_wrong(answer: Mapping[str, Array], specs: tuple[TensorSpec, ...]) -> str | None:
    """What an answer has that its specs say otherwise."""
    for spec in specs:
        array = answer.get(spec.name)
        if array is None:
            if spec.optional:
                continue
            return f"no {spec.name!r}"
        kind = array.dtype.kind
        fits = kind in "OUS" if spec.dtype in _TEXT else str(array.dtype) == spec.dtype
        if not fits:
            return f"{spec.name!r} as {array.dtype}, not {spec.dtype}"
        sides = zip(array.shape, spec.shape, strict=False)
        if array.ndim != len(spec.shape) or any(b not in (-1, a) for a, b in sides):
            return f"{spec.name!r} of the shape {list(array.shape)}, not {list(spec.shape)}"
    return None


def _all_lost(answer: Mapping[str, Array]) -> bool:
    floats = [array for array in answer.values() if array.dtype.kind == "f" and array.size]
    return bool(floats) and not any(bool(np.isfinite(array).any()) for array in floats)


def _same(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
