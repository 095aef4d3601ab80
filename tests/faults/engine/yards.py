"""A small yard with a history: what every fault is tried on."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from modelyard.registry import create
from modelyard.registry.settings import Settings
from modelyard.testing.models import layers, safetensors_bytes, tree_digest, write_tree
from modelyard.testing.victim import open_folder

__all__ = [
    "KEY",
    "Wanted",
    "begin",
    "build",
    "commit_files",
    "network",
    "noise",
    "small",
    "texts",
]

KEY = "env:FAULTS_KEY"
os.environ.setdefault("FAULTS_KEY", "fa" * 32)  # every process that is hurt inherits it


@dataclass
class Wanted:
    """What somebody was told is done, and what must therefore be there."""

    versions: dict[tuple[str, int], str] = field(default_factory=dict)
    """Digest of the files by model and number."""
    refs: dict[tuple[str, str], int] = field(default_factory=dict)
    """Last acknowledged number by model and ref."""
    kept: dict[str, Wanted] = field(default_factory=dict)
    """What a copy elsewhere was said to hold, by the kind of copy."""
    acknowledged: int = 0

    def note(self, message: tuple) -> None:
        """Take what a victim told."""
        match message:
            case ("version", model, number, branch, digest):
                there = self.versions.setdefault((model, number), digest)
                assert there == digest, f"{model}@{number} was given out twice"
                self.refs[model, branch] = max(self.refs.get((model, branch), 0), number)
                self.acknowledged += 1
            case ("ref", model, name, number):
                self.refs[model, name] = number
                self.acknowledged += 1
            case ("deleting", model, number):
                self.versions.pop((model, number), None)
            case ("kept", where):
                self.kept[where] = self.copy()
                self.acknowledged += 1
            case ("done",):
                self.acknowledged += 1

    def copy(self) -> Wanted:
        return Wanted(dict(self.versions), dict(self.refs), dict(self.kept))

    def of_model(self, model: str) -> Wanted:
        """The versions of one model."""
        return Wanted({key: digest for key, digest in self.versions.items() if key[0] == model})


def network(seed: int, turn: int) -> dict[str, bytes]:
    """A network of which one layer is tuned a little more at each turn: deltas."""
    tensors = layers(seed, count=3, width=96)
    rng = np.random.default_rng((seed, turn))
    tuned = tensors["layer1.weight"]
    tensors["layer1.weight"] = (tuned * (1 + rng.normal(0, 1e-3, tuned.shape))).astype("float32")
    return {"model.safetensors": safetensors_bytes(tensors), "README.md": b"# %d\n" % turn}


def small(turn: int) -> dict[str, bytes]:
    """A pickle that changes little: a dictionary's case."""
    coef = np.random.default_rng(3).normal(size=1500)
    coef[turn % 1500] = turn
    return {"model.pkl": pickle.dumps({"coef": coef, "step": turn})}


def texts(**changes: bytes) -> dict[str, bytes]:
    """A folder of several files, to be merged file by file."""
    base = {f"{name}.bin": np.random.default_rng(ord(name)).bytes(6000) for name in "abc"}
    base["config.json"] = b'{"layers": 3}'
    return base | {f"{name}.bin": content for name, content in changes.items()}


def noise(seed: int, size: int = 120_000) -> dict[str, bytes]:
    """Bytes that nothing can shrink."""
    return {"weights.bin": np.random.default_rng(seed).bytes(size)}


def begin(folder: Path, *, sealed: bool = False, **places: str) -> None:
    """An empty yard whose gc takes bytes at once."""
    settings = Settings(key=KEY if sealed else None, keep_deleted_days=0, grace_minutes=0, **places)
    create(folder, key=settings.key, **places).close()
    settings.write(folder)


def build(folder: str, desk: Path, *, sealed: bool = False) -> Wanted:
    """Models of every way of storing; branches to merge and to mix, garbage to collect."""
    begin(Path(folder), sealed=sealed)
    yard = open_folder(folder)
    wanted = Wanted()

    def commit(model, files, branch="main", **options):
        wanted.note(commit_files(yard, desk, model, files, branch, **options))

    for turn in range(3):
        commit("net", network(1, turn))
        commit("small", small(turn))
        commit("junk", noise(turn))
    commit("net", network(1, 7), "dev")
    commit("texts", texts())
    commit("texts", texts(a=b"ours" * 2000))
    commit("texts", texts(b=b"theirs" * 2000), "dev", parent=1)
    for name, number in (("champion", 2), ("prod", 1)):
        yard.alias("net", name, number)
        wanted.note(("ref", "net", name, number))
    for number in (1, 2):
        wanted.note(("deleting", "junk", number))
        yard.delete_version("junk", number, purge=True)
    yard.close()
    return wanted


def commit_files(yard, desk: Path, model: str, files: dict[str, bytes], branch: str, **options):
    """Commit, and give the message that says so."""
    source = desk / "source"
    shutil.rmtree(source, ignore_errors=True)
    write_tree(source, files)
    done = yard.commit(model, source, branch=branch, **options)
    return ("version", done.model, done.number, branch, tree_digest(files))
