"""One step in a process of its own: `python -m tests.benchmarks.stores.steps STEP JSON`.

The last line printed is a JSON object. Seconds are processor seconds of this process, all its
threads included, unless they are called `wall`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.registry import create, open_yard

if TYPE_CHECKING:
    from modelyard.registry.local import LocalYard

MODEL = "bench/m"


def init(yard: str, store: str | None, catalog: str | None) -> dict[str, Any]:
    create(yard, store=store, catalog=catalog).close()
    return {}


def commit(yard: str, file: str) -> dict[str, Any]:
    with open_yard(yard) as opened:
        return {"number": opened.commit(MODEL, file, message="b").number}


def checkout(yard: str, number: int, dest: str) -> dict[str, Any]:
    with open_yard(yard) as opened:
        opened.checkout(MODEL, number, dest)
    return {}


def cycle(
    yard: str, store: str | None, file: str, dest: str, key: str | None = None
) -> dict[str, Any]:
    """Commit and checkout of one file in a new yard whose catalog is SQLite."""
    with create(yard, store=store, key=key) as made:
        begun = time.process_time()
        made.commit(MODEL, file, message="b")
        committed = time.process_time()
        made.checkout(MODEL, 1, dest)
        ended = time.process_time()
    return {"commit": committed - begun, "checkout": ended - committed}


def verify(yard: str) -> dict[str, Any]:
    with open_yard(yard) as opened:
        begun = time.process_time()
        report = opened.verify()
        took = time.process_time() - begun
    assert not report.damage
    return {"cpu": took, "bytes": report.bytes}


def gc(yard: str, catalog: str | None, chunks: int) -> dict[str, Any]:
    """Half of so many chunks of 200 bytes are collected."""
    from tests.benchmarks.race.populate import give_up_half, measure, populate

    with create(yard, catalog=catalog) as made:
        populate(made.house, chunks)
        give_up_half(made.house)
        begun = time.perf_counter()
        took = measure(made.house, report=lambda line: None)
        wall = time.perf_counter() - begun
    return {"dry": took["dry run"], "cpu": took["gc"], "wall": wall}


def small(yard: str, pickles: str, model: str, count: int, skip: int) -> dict[str, Any]:
    """Commits of `count` versions of a small pickle; the first is not counted."""
    from tests.benchmarks.store.pickles import versions

    folder = Path(yard).parent / f"source-{model}"
    folder.mkdir()
    file = folder / "model.pkl"
    found = list(versions(Path(pickles), skip + count + 1, "drift"))[skip:]
    with open_yard(yard) as opened:
        file.write_bytes(found[0])
        opened.commit(model, str(file))
        told = Statements(opened)
        begun, cpu = time.perf_counter(), time.process_time()
        for content in found[1:]:
            file.write_bytes(content)
            opened.commit(model, str(file), message="step")
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        refs = told.statements / count, told.transactions / count
    return {"wall": wall, "cpu": cpu, "statements": refs[0], "transactions": refs[1]}


def populated(yard: str, catalog: str | None, versions: int) -> dict[str, Any]:
    """Medians by the clock and by the processor of searches and of logs over made-up versions."""
    from statistics import median

    from tests.benchmarks.populate import QUERIES, populate_catalog

    with create(yard, catalog=catalog) as made:
        populate_catalog(made.house.catalog, versions=versions, models=versions // 100)
        name = next(iter(made.models())).name
        queries = [query for kind in QUERIES.values() for query in kind]
        took: dict[str, list[float]] = {"search": [], "log": []}
        for turn in range(6):
            begun = time.process_time() if turn == 1 else 0.0
            for query in queries:
                start = time.perf_counter()
                made.search(query)
                if turn:
                    took["search"].append(time.perf_counter() - start)
            if turn == 1:
                searched = (time.process_time() - begun) / len(queries)
        for turn in range(31):
            start = time.perf_counter()
            count = len(list(made.log(name)))
            if turn:
                took["log"].append(time.perf_counter() - start)
        told = Statements(made)
        list(made.log(name))
        statements = told.statements
    return {
        "search": median(took["search"]), "log": median(took["log"]), "search cpu": searched,
        "versions of a log": count, "statements of a log": statements,
    }  # fmt: skip


class Statements:
    """Counts what goes to the catalog from now on."""

    def __init__(self, yard: LocalYard) -> None:
        self.statements = self.transactions = 0
        engine = yard.house.catalog.engine
        sa.event.listen(engine, "before_cursor_execute", self._executed)
        sa.event.listen(engine, "begin", self._began)

    def _executed(self, *_: object) -> None:
        self.statements += 1

    def _began(self, *_: object) -> None:
        self.transactions += 1


if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    print(json.dumps(globals()[sys.argv[1]](**given)))
