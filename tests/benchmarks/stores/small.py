"""Small updates and questions: catalogs and stores beside SQLite and a folder."""

from __future__ import annotations

import shutil
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.store import pickles
from tests.benchmarks.store.checks import Check
from tests.benchmarks.stores.running import step, steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.stores.running import Bench

__all__ = ["latency", "small"]

PAIRS = {
    "SQLite + fs": (None, "fs"),
    "PostgreSQL + fs": ("postgres", "fs"),
    "MariaDB + fs": ("mariadb", "fs"),
    "PostgreSQL + S3": ("postgres", "s3"),
}
WRITERS = 4


def small(bench: Bench) -> Iterator[Check]:
    """Commits of a pickle that changes a little each time; writers have a model each."""
    made = pickles.make(bench.work)
    for writers in (1, WRITERS):
        said: dict[str, list[dict[str, Any]]] = {name: [] for name in PAIRS}
        for _ in range(bench.rounds):
            for name in PAIRS:
                said[name].append(_written(bench, made, name, writers))
        first = median(one["speed"] for one in said["SQLite + fs"])
        by = "1 writer" if writers == 1 else f"{writers} processes"
        for name, rounds in said.items():
            speed, cpu = (median(one[key] for one in rounds) for key in ("speed", "cpu"))
            note = f"{cpu * 1000:.1f} ms CPU, {rounds[0]['statements']:.1f} statements"
            note += f" in {rounds[0]['transactions']:.1f} transactions a commit"
            what = f"{by}: commits a second, of SQLite + fs"
            yield Check(name, what, speed / first, note=note)


def _written(bench: Bench, made: Path, name: str, writers: int) -> dict[str, float]:
    folder = bench.folder("small")
    catalog, store = PAIRS[name]
    step(
        "init", yard=folder / "yard", store=bench.places.store(store),
        catalog=bench.places.catalog(catalog) if catalog else None,
    )  # fmt: skip
    each = bench.commits // writers
    given = {"yard": folder / "yard", "pickles": made, "count": each}
    said = steps(
        [("small", {**given, "model": f"m{n}", "skip": n * (each + 1)}) for n in range(writers)]
    )
    shutil.rmtree(folder)
    mean = {key: sum(one[key] for one in said) / writers for key in said[0]}
    speed = sum(each / one["wall"] for one in said)
    return {**mean, "speed": speed, "cpu": mean["cpu"] / each}


def latency(bench: Bench) -> Iterator[Check]:
    """First pages of all kinds of search, and whole logs."""
    said = {}
    for name in (None, "postgres", "mariadb"):
        folder = bench.folder("latency")
        catalog = bench.places.catalog(name) if name else None
        said[name] = step(
            "populated", yard=folder / "yard", catalog=catalog, versions=bench.versions
        )
    titles = {"postgres": "PostgreSQL", "mariadb": "MariaDB"}
    for what in ("search", "log"):
        for name, title in titles.items():
            note = f"{said[name][what] * 1000:.1f} / {said[None][what] * 1000:.1f} ms by the clock"
            if what == "log":
                note += f"; {said[name]['versions of a log']} versions"
            ratio = said[name][what] / said[None][what]
            yield Check(
                title, f"{what}, {bench.versions:,} versions, of SQLite's", ratio, note=note
            )
