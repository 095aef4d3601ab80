"""SIGKILL at any moment: what was acknowledged is there, bit for bit, and work goes on.

Here one yard lives through all of its kills; `test_two_hundred` begins anew with each.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from modelyard.testing.models import (
    layers,
    read_tree,
    safetensors_bytes,
    tree_digest,
    write_tree,
)
from modelyard.testing.process import Nursery
from modelyard.testing.victim import commit_once, die_at, open_folder, work_until_killed

LONGEST_LIFE = 0.4
"""Seconds from the open yard to a kill by the clock."""
MOST_CALLS = 60
"""Changes of the disk before a kill by count; a commit makes about ten."""


NO_GRACE = "version = 1\n[gc]\nkeep_deleted_days = 0\ngrace_minutes = 0\n"
"""So that gc really takes bytes while others die beside it."""


@dataclass
class Acknowledged:
    """What the victims were told is done."""

    versions: dict[tuple[str, int], str] = field(default_factory=dict)
    """Digest by model and number."""
    champions: dict[str, int] = field(default_factory=dict)
    kills: int = 0

    def note(self, message):
        if message[0] == "version":
            _, model, number, digest = message
            assert self.versions.setdefault((model, number), digest) == digest
        elif message[0] == "champion":
            self.champions[message[1]] = message[2]
        elif message[0] == "deleting":
            self.versions.pop(message[1:], None)


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as nursery:
        yield nursery


def kill_once(nursery, folder, desk, rng, seen):
    """Let a new process work on the yard and kill it, by the clock or at a call."""
    worker = nursery.start()
    by_count = rng.random() < 0.6
    moment = rng.choice(["before", "after", "half"])
    death = (rng.randint(1, MOST_CALLS), moment) if by_count else None
    worker.begin(work_until_killed, str(folder), desk, rng.getrandbits(32), death)
    deadline = time.monotonic() + 30
    for _, message in worker.told(deadline):
        if message == ("open",):
            break
    life = 5.0 if by_count else rng.uniform(0, LONGEST_LIFE)
    for _, message in worker.told(time.monotonic() + life):
        seen.note(message)
    worker.kill()
    for _, message in worker.drain():
        seen.note(message)
    seen.kills += 1


def check(yard, desk, seen, wanted):
    report = yard.verify()
    assert report.ok, report.damage
    for model, number in wanted:
        dest = desk / f"out-{model}-{number}"
        yard.checkout(model, number, dest)
        assert tree_digest(read_tree(dest)) == seen.versions[model, number], (model, number)
        for path in sorted(dest.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    for info in yard.models():
        for ref in yard.refs(info.name):
            assert yard.resolve(info.name, ref.number).commit == ref.commit


def leftovers(folder):
    """Files that only an interrupted call leaves behind."""
    return [p for p in folder.rglob("*") if p.suffix in (".part", ".tmp") or ".tmp." in p.name]


def run(nursery, tmp_path, kills):
    rng = random.Random(os.environ.get("KILL_SEED", "0"))
    folder, desk = tmp_path / "yard", tmp_path / "desk"
    write_tree(desk, {})
    open_folder(str(folder)).close()
    (folder / "yard.toml").write_text(NO_GRACE)
    seen = Acknowledged()
    for kill in range(1, kills + 1):
        before = set(seen.versions)
        kill_once(nursery, folder, desk, rng, seen)
        yard = open_folder(str(folder))
        try:
            new = set(seen.versions) - before
            kept = sorted(before & set(seen.versions))
            old = rng.sample(kept, min(5, len(kept)))
            every = sorted(seen.versions) if kill in (kills, kills // 2) else [*new, *old]
            check(yard, desk, seen, every)
            source = write_tree(desk / "next", {"next.txt": b"%d" % kill})
            done = yard.commit("next", source)
            assert done.number == kill
            assert leftovers(folder) == []
            for model, number in seen.champions.items():
                moves = {move.new for move in yard.reflog(model, "champion")}
                assert number in moves, "an acknowledged move is in the reflog"
        finally:
            yard.close()
    return seen


def test_five_kills_lose_nothing(nursery, tmp_path):
    seen = run(nursery, tmp_path, 5)
    assert seen.kills == 5


@pytest.mark.parametrize(
    "moment", ["half", *(pytest.param(m, marks=pytest.mark.slow) for m in ("before", "after"))]
)
def test_a_first_commit_killed_at_any_call_leaves_a_yard_that_works(nursery, tmp_path, moment):
    calls = kill_at_every_call(nursery, tmp_path, moment, made_before=True)
    assert calls > 5


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_creation_killed_at_any_call_may_be_repeated(nursery, tmp_path, moment):
    calls = kill_at_every_call(nursery, tmp_path, moment, made_before=False, most=8)
    assert calls == 8


def kill_at_every_call(nursery, tmp_path, moment, *, made_before, most=200):
    """Kill at the first change of the disk, at the second, ... until none is left."""
    source = write_tree(
        tmp_path / "source",
        {"m.safetensors": safetensors_bytes(layers(1, width=200)), "README.md": b"# m\n"},
    )
    for call in range(1, most + 1):
        folder = tmp_path / f"yard{call}"
        if made_before:
            open_folder(str(folder)).close()
        worker = nursery.start()
        worker.call(die_at, call, moment)
        worker.begin(commit_once, str(folder), str(source), "m")
        finished = "result" in [kind for kind, _ in worker.told()]
        worker.kill()
        yard = open_folder(str(folder))
        try:
            assert yard.verify().ok
            assert yard.commit("m", source).number == 1
            assert leftovers(folder) == []
            assert yard.verify().ok
        finally:
            yard.close()
        if finished:
            return call
    return most


@pytest.mark.slow
def test_an_interrupted_commit_sends_only_what_is_missing(nursery, tmp_path):
    tensors = {
        f"layer{i:02}": np.frombuffer(np.random.default_rng(i).bytes(3_000_000), "uint8")
        for i in range(50)
    }
    source = write_tree(tmp_path / "source", {"m.safetensors": safetensors_bytes(tensors)})
    size = 150_000_000
    folder = tmp_path / "yard"
    worker = nursery.start()
    worker.begin(commit_once, str(folder), str(source), "m")
    wait_until(lambda: stored(folder) > 0.6 * size, worker)
    worker.kill()
    yard = open_folder(str(folder))
    try:
        assert list(yard.models()) == []
        registered = yard.stats().stored
        assert 0.1 * size < registered < 0.95 * size, "the kill came in the middle"
        yard.commit("m", source)
        assert yard.stats().stored <= 1.01 * size, "nothing was sent twice"
        dest = tmp_path / "out"
        yard.checkout("m", 1, dest)
        assert (dest / "m.safetensors").read_bytes() == (source / "m.safetensors").read_bytes()
        assert yard.verify().ok
    finally:
        yard.close()


def wait_until(condition, worker):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        kinds = [kind for kind, _ in worker.told(time.monotonic())]
        assert "result" not in kinds, "it was done before it was killed"
        time.sleep(0.005)


def stored(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
