"""Single questions to modelyard's SDK, timed in the process that asks them: WHAT YARD ARGUMENTS."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path

import modelyard

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(ROOT))

MODEL = "bench/m"


def recommit(folder: str, file: str) -> dict[str, object]:
    """Commit a file that is in the yard already, and once more in the same process."""
    model = modelyard.open(folder).model(MODEL)
    times = [time.perf_counter()]
    for _ in range(2):
        assert not model.commit(file, message="again").created
        times.append(time.perf_counter())
    return {"inside": times[1] - times[0], "second": times[2] - times[1]}


def tensor(folder: str, name: str) -> dict[str, object]:
    """One tensor from a yard that is open."""
    version = modelyard.open(folder).model(MODEL)[1]
    number = version.number
    start = time.perf_counter()
    values = version.tensor(name)
    return {
        "inside": time.perf_counter() - start,
        "number": number,
        "bytes": values.nbytes,
        "sum": float(values.astype("float64").sum()),
    }


def diff(folder: str, one: str, other: str) -> dict[str, object]:
    model = modelyard.open(folder).model(MODEL)
    start = time.perf_counter()
    found = model.diff(int(one), int(other))
    inside = time.perf_counter() - start
    return {"inside": inside, "summary": found.summary()}


def many(folder: str, pickles: str, count: str, way: str, scan: str) -> dict[str, object]:
    """Commit many versions of a small file one by one; only the commits are counted."""
    from tests.benchmarks.store.pickles import versions

    model = modelyard.open(folder).model(MODEL)
    file = Path(folder).parent / "model.pkl"
    more = {} if scan == "scan" else {"scan": False}
    cpu = wall = raw = 0.0
    for number, content in enumerate(versions(Path(pickles), int(count), way)):
        file.write_bytes(content)
        raw += len(content)
        start = time.perf_counter(), time.process_time()
        model.commit(str(file), message=f"step {number}", **more)
        wall += time.perf_counter() - start[0]
        cpu += time.process_time() - start[1]
    return {"inside": wall, "wall": wall / int(count), "cpu": cpu / int(count), "raw": raw}


def populate(folder: str, count: str) -> dict[str, object]:
    """Fill the catalog of a new yard as so many commits would have left it."""
    from tests.benchmarks.populate import populate_catalog

    from modelyard.catalog.engine import Catalog

    modelyard.open(folder).close()
    start = time.perf_counter()
    versions = int(count)
    with closing(Catalog.open(f"sqlite:///{folder}/catalog.db")) as catalog:
        populate_catalog(catalog, versions=versions, models=max(10, versions // 100))
    return {"inside": time.perf_counter() - start}


def search(folder: str, times: str) -> dict[str, object]:
    """First pages of all queries through the SDK, again and again."""
    from tests.benchmarks.populate import QUERIES

    yard = modelyard.open(folder)
    queries = [query for kind in QUERIES.values() for query in kind]
    took: dict[str, list[float]] = {query: [] for query in queries}
    for _ in range(int(times)):
        for query in queries:
            start = time.perf_counter()
            yard.search(query)
            took[query].append(time.perf_counter() - start)
    return {"took": took}


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
