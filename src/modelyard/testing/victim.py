"""A process that works on a yard until it is killed, and tells each thing that was acknowledged.

Besides being killed from outside at any time, it can kill itself at its n-th call that changes the
disk: before the call, after it, or with half of the bytes written.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.errors import Conflict, NotFound
from modelyard.testing.models import layers, safetensors_bytes, tree_digest, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.yard import Yard
    from modelyard.testing.process import Send

__all__ = [
    "Moment",
    "collect_many",
    "commit_many",
    "commit_once",
    "die_at",
    "open_folder",
    "warm_up",
    "warm_up_somewhere",
    "work_until_killed",
]

Moment = Literal["before", "after", "half"]

_WRITES = ("write", "writev", "pwrite", "pwritev")
_CHANGES = ("fsync", "fdatasync", "rename", "replace", "unlink", "ftruncate", "mkdir", "link")


def die_at(call: int, moment: Moment) -> None:
    """From now on, the process dies at its n-th change of the disk made through `os`."""
    left = call

    def wrapped(name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def act(*args: object, **rest: object) -> object:
            nonlocal left
            left -= 1
            if left > 0:
                return original(*args, **rest)
            if moment == "half" and name in _WRITES:
                original(args[0], _half(args[1], name), *args[2:])
            elif moment != "before":
                original(*args, **rest)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

        return act

    for name in (*_WRITES, *_CHANGES):
        setattr(os, name, wrapped(name))


def _half(given: Any, name: str) -> Any:
    if name in ("write", "pwrite"):
        return bytes(given)[: len(bytes(given)) // 2]
    joined = b"".join(bytes(part) for part in given)
    return [joined[: len(joined) // 2]]


def open_folder(folder: str) -> Yard:
    """Open a yard, made if it is not there."""
    from modelyard.registry import create, open_yard

    try:
        return open_yard(folder)
    except NotFound:
        return create(folder)


def warm_up(folder: Path) -> None:
    """Do a little of everything, so that all that is imported on first use is imported."""
    yard = open_folder(str(folder / "yard"))
    rng = np.random.default_rng(0)
    for number, kind in enumerate(_KINDS):
        yard.commit("m", write_tree(folder / str(number), kind(rng)))
    yard.alias("m", "champion", 1)
    yard.checkout("m", 1, folder / "out")
    yard.verify()
    yard.gc()
    yard.close()


def warm_up_somewhere() -> None:
    """The same in a folder that goes again."""
    with tempfile.TemporaryDirectory() as folder:
        warm_up(Path(folder))


def commit_once(send: Send, folder: str, source: str, model: str) -> tuple[int, int]:
    """Commit a path; sends `"open"`, gives the version's number and new bytes."""
    yard = open_folder(folder)
    send("open")
    try:
        done = yard.commit(model, source)
        return done.number, done.new_bytes
    finally:
        yard.close()


def commit_many(folder: str, desk: Path, seed: int, count: int) -> list[tuple[str, int]]:
    """Commit to a model of its own and, where nobody is faster, to one that is shared."""
    yard = open_folder(folder)
    done = []
    for turn in range(count):
        source = write_tree(
            desk / str(turn), {"m.bin": np.random.default_rng(seed).bytes(9000 + turn)}
        )
        own = yard.commit(f"own{seed}", source)
        done.append((own.model, own.number))
        with contextlib.suppress(Conflict):
            shared = yard.commit("shared", source)
            done.append((shared.model, shared.number))
    yard.close()
    return done


def collect_many(folder: str, count: int) -> int:
    """Run gc over and over; gives the bytes that it freed."""
    yard = open_folder(folder)
    freed = sum(yard.gc().freed for _ in range(count))
    yard.close()
    return freed


def work_until_killed(
    send: Send, folder: str, desk: Path, seed: int, death: tuple[int, Moment] | None
) -> None:
    """Commit new data, deltas, small pickles and folders; move an alias; delete; collect garbage.

    Sends `("version", model, number, digest)` and `("champion", model, number)` for what is done,
    `("deleting", model, number)` before it is tried and, once the yard is open, `("open",)`.
    """
    rng = np.random.default_rng(seed)
    yard = open_folder(folder)
    send(("open",))
    if death is not None:
        die_at(*death)
    source = desk / "source"
    while True:
        kind = _KINDS[int(rng.integers(len(_KINDS)))]
        files = kind(rng)
        shutil.rmtree(source, ignore_errors=True)
        write_tree(source, files)
        branch = ("main", "dev")[int(rng.integers(4) == 0)]
        done = yard.commit(kind.__name__.strip("_"), source, branch=branch)
        send(("version", done.model, done.number, tree_digest(files)))
        if rng.integers(3) == 0:
            champion = yard.alias(done.model, "champion", done.number)
            send(("champion", done.model, champion.number))
        if rng.integers(6) == 0:
            number = int(rng.integers(1, done.number + 1))
            send(("deleting", done.model, number))
            with contextlib.suppress(Conflict, NotFound):  # protected, or deleted before
                yard.delete_version(done.model, number, purge=bool(rng.integers(2)))
        if rng.integers(12) == 0:
            yard.gc()


def _fresh(rng: np.random.Generator) -> dict[str, bytes]:
    return {"model.bin": rng.bytes(int(rng.integers(1, 400_000)))}


def _tuned(rng: np.random.Generator) -> dict[str, bytes]:
    base = layers(7, count=2, width=160)
    tuned = {
        name: (values * (1 + rng.normal(0, 1e-3, values.shape))).astype("float32")
        for name, values in base.items()
    }
    return {"model.safetensors": safetensors_bytes(tuned)}


def _small(rng: np.random.Generator) -> dict[str, bytes]:
    coef = np.random.default_rng(3).normal(size=2000)
    coef[int(rng.integers(2000))] = rng.normal()
    return {"model.pkl": pickle.dumps({"coef": coef, "step": int(rng.integers(10**6))})}


def _folder(rng: np.random.Generator) -> dict[str, bytes]:
    text = f"# run {rng.integers(10**9)}\n".encode()
    parts = {f"shard/{i}.bin": rng.bytes(int(rng.integers(20_000))) for i in range(4)}
    return {"README.md": text, "config.json": b'{"seed": %d}' % rng.integers(10**9), **parts}


_KINDS = (_fresh, _tuned, _small, _folder)
