"""Processor seconds of our process for each store, as a part of those of the memory store."""

from __future__ import annotations

import os
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.store.checks import Check
from tests.benchmarks.stores.running import step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.stores.running import Bench

__all__ = ["processor"]

STORES = ("memory", "fs", "sealed fs", "sqlite", "postgres", "mariadb", "mongodb", "s3")
NAMES = {
    "sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB",
    "mongodb": "MongoDB (SecantusDB)", "s3": "S3 (moto)",
}  # fmt: skip
_FS = 1.3


def processor(bench: Bench) -> Iterator[Check]:
    """Commit and checkout of weights, and of noise, where the store is all there is to do."""
    files = {
        "weights": bench.model("a", bench.cycle_mb),
        "noise": bench.noise(bench.cycle_mb),
    }
    for kind, file in files.items():
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in STORES}
        for _ in range(bench.rounds):
            for name in STORES:  # in turns, so that a busy machine is so for all of them
                folder = bench.folder("cycle")
                said = step(
                    "cycle", yard=folder / "yard", store=bench.places.store(name), file=file,
                    dest=folder / "out", key=_key() if name == "sealed fs" else None,
                )  # fmt: skip
                took[name].append((said["commit"], said["checkout"]))
        whole = {name: median(map(sum, pairs)) for name, pairs in took.items()}
        for name in STORES[1:]:
            commit, checkout = (median(pair[at] for pair in took[name]) for at in (0, 1))
            base = tuple(median(pair[at] for pair in took["memory"]) for at in (0, 1))
            note = f"commit {commit / base[0]:.2f}, checkout {checkout / base[1]:.2f}"
            note += f"; {whole[name]:.2f} / {whole['memory']:.2f} s CPU"
            yield Check(
                f"{NAMES.get(name, name)}", f"{kind}: CPU of both, of the memory store's",
                whole[name] / whole["memory"], _FS if name == "fs" else None, note=note,
            )  # fmt: skip


def _key() -> str:
    from base64 import b64encode

    os.environ["YARD_BENCH_KEY"] = b64encode(os.urandom(32)).decode()
    return "env:YARD_BENCH_KEY"
