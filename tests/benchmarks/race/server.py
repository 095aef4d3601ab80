"""One server of the race: its own `House`, two committers, one who checks, and gc all the time.

`python -m tests.benchmarks.race.server FOLDER NUMBER SECONDS OUT`: OUT gets what it acknowledged.
"""

from __future__ import annotations

import faulthandler
import json
import random
import shutil
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.registry import dropping, open_yard
from modelyard.testing.models import layers, read_tree, safetensors_bytes

__all__ = ["COMMITTERS", "content"]

COMMITTERS = 2
"""Of each server."""
CONTENTS = 40
_TRANSIENT = {"busy-branch", "catalog-busy", "store-changed"}
_STRAY_MINUTES = 0.05


def content(seed: int) -> dict[str, bytes]:
    """The files of one of a few versions that everybody commits again and again.

    They share chunks with one another, and some are deltas on others'.
    """
    tensors = layers(seed % 3, count=2, width=160)
    rng = np.random.default_rng(seed)
    for values in tensors.values():
        values += rng.normal(0, 1e-4, values.shape).astype(values.dtype) * (seed // 3)
    shared = np.random.default_rng(seed % 4).bytes(300_000)
    return {
        "model.safetensors": safetensors_bytes(tensors),
        "data.bin": shared + rng.bytes(40_000),
        "small.bin": rng.bytes(2_000),
        "README.md": b"content %d\n" % seed,
    }


class Server:
    """The threads, and what they were told."""

    def __init__(self, folder: Path, number: int, seconds: float, desk: Path) -> None:
        self.yard = open_yard(folder, author=f"server {number}")
        self.desk = desk
        self.end = time.monotonic() + seconds
        self.number = number
        self.kept: dict[tuple[str, int], int] = {}
        """Content by acknowledged version; what its committer is about to delete is not in it."""
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.lock = threading.Lock()
        for seed in range(CONTENTS):
            place = desk / "contents" / str(seed)
            for name, data in content(seed).items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(data)

    def run(self) -> None:
        works = [(self._commit, n) for n in range(COMMITTERS)] + [(self._check, 0), (self._gc, 0)]
        threads = [threading.Thread(target=self._guarded, args=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.yard.close()

    def _guarded(self, work, number: int) -> None:
        rng = random.Random(f"{self.number} {work.__name__} {number}")
        while time.monotonic() < self.end and not self.wrong:
            try:
                work(rng, number)
            except ModelyardError as error:
                if error.kind in _TRANSIENT:
                    self._count(f"again: {error.kind}")
                else:
                    self._fail(work)
            except Exception:
                self._fail(work)

    def _fail(self, work) -> None:
        with self.lock:
            self.wrong.append(f"server {self.number} {work.__name__}: {traceback.format_exc()}")

    def _count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def _commit(self, rng: random.Random, number: int) -> None:
        model = f"server{self.number}/m{number}-{rng.randrange(2)}"
        mine = sorted(key for key in list(self.kept) if key[0] == model)
        turn = rng.random()
        if mine and (turn < 0.5 or len(mine) > 3):
            chosen = rng.choice(mine)
            with self.lock:
                seed = self.kept.pop(chosen)
            self.yard.delete_version(*chosen, purge=rng.random() < 0.5)
            self._count("deleted")
            if rng.random() < 0.7:
                self._store(model, seed)  # what was just deleted
        elif mine and turn < 0.6:
            with self.lock:
                for key in mine:
                    del self.kept[key]
            self.yard.delete_model(model)
            self._count("models deleted")
        else:
            self._store(model, rng.randrange(CONTENTS))

    def _store(self, model: str, seed: int) -> None:
        done = self.yard.commit(model, self.desk / "contents" / str(seed))
        with self.lock:
            self.kept[model, done.number] = seed
        self._count("committed" if done.created else "nothing new")

    def _check(self, rng: random.Random, _number: int) -> None:
        with self.lock:
            chosen = rng.choice(list(self.kept.items())) if self.kept else None
        if chosen is None:
            time.sleep(0.02)
            return
        (model, number), seed = chosen
        out = self.desk / "out"
        shutil.rmtree(out, ignore_errors=True)
        for attempt in range(3):
            try:
                self.yard.checkout(model, number, out)
                break
            except ModelyardError as error:
                with self.lock:
                    if (model, number) not in self.kept:
                        return  # deleted meanwhile
                # with next to no grace time, a pack may go between its row was read and its bytes
                if error.kind not in ("pack-lost", "chunk-lost") or attempt == 2:
                    raise
                self._count("checkouts begun again")
                shutil.rmtree(out, ignore_errors=True)
        if read_tree(out) != content(seed):
            raise AssertionError(f"{model}@{number} is not content {seed}")
        self._count("checked")

    def _gc(self, _rng: random.Random, _number: int) -> None:
        report = self.yard.gc()
        self._count("gc runs")
        with self.lock:
            self.counts["chunks collected"] += report.chunks
            self.counts["packs rewritten"] += report.packs_rewritten
            self.counts["packs deleted"] += report.packs_deleted
        time.sleep(0.05)


def _main(folder: str, number: str, seconds: str, out: str) -> None:
    faulthandler.enable()
    dropping.STRAY_MINUTES = _STRAY_MINUTES
    desk = Path(out).with_suffix("")
    server = Server(Path(folder), int(number), float(seconds), desk)
    server.run()
    kept = [[model, number, seed] for (model, number), seed in server.kept.items()]
    told = {"kept": kept, "counts": server.counts, "wrong": server.wrong}
    Path(out).write_text(json.dumps(told))


if __name__ == "__main__":
    _main(*sys.argv[1:])
