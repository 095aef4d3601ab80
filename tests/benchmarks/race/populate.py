"""A yard of many small chunks, made without commits: `gc` has as much to look at as in a large one.

`python -m tests.benchmarks.race.populate [CHUNKS]` makes one in a temporary folder, gives half of
it up, and prints the CPU seconds of a dry run, of gc, and how long everybody had to wait at most.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from modelyard.catalog import schema
from modelyard.catalog.index import register
from modelyard.catalog.queries import chunks
from modelyard.core.chunks import Kind
from modelyard.registry import create
from modelyard.store.codecs import Encoded
from modelyard.store.ingest import encode_recipe
from modelyard.store.pack import chunk_id

__all__ = ["measure", "populate"]

_PER_BLOB = 100


def populate(house, count: int, *, seed: int = 7) -> None:
    """So many chunks of 200 bytes in blobs of a hundred, each the only file of a version."""
    rng = np.random.default_rng(seed)
    session = house.session()
    recipes = []
    for _ in range(count // _PER_BLOB):
        names = []
        for _ in range(_PER_BLOB):
            content = rng.bytes(200)
            names.append((chunk_id(Kind.CONTENT, content), 200))
            _append(session, Kind.CONTENT, names[-1][0], content)
        recipe = encode_recipe(names)
        recipes.append(chunk_id(Kind.RECIPE, recipe))
        _append(session, Kind.RECIPE, recipes[-1], recipe)
    session.prepare()
    growth = session.sync()
    house.catalog.write(lambda connection: _rows(connection, growth, recipes))
    session.registered()
    session.close()


def _append(session, kind, name, content) -> None:
    session.append(kind, name, len(content), Encoded(0, [content], len(content)), None)


def _rows(connection, growth, recipes) -> None:
    register(connection, growth, 1)
    ids = chunks.ids_of(connection, recipes)
    model = {
        "id": 1, "name": "m", "kind": "model", "description": "", "next_number": len(recipes) + 1,
        "created": 1, "updated": 1, "deleted": 0,
    }  # fmt: skip
    connection.execute(sa.insert(schema.model), model)
    keys = range(1, len(recipes) + 1)
    connection.execute(
        sa.insert(schema.blob),
        [
            {"id": key, "sha256": key.to_bytes(32, "big"), "size": 200 * _PER_BLOB,
             "format": "unknown", "content_id": ids[recipe], "is_recipe": True}
            for key, recipe in zip(keys, recipes, strict=True)
        ],
    )  # fmt: skip
    connection.execute(
        sa.insert(schema.version),
        [
            {"id": key, "model_id": 1, "number": key, "commit_id": bytes(20), "tree_id": bytes(20),
             "parents": "", "branch": "main", "author": "", "message": "", "created": 1,
             "size": 0, "new_bytes": 0, "files": 1, "formats": "", "framework": "",
             "deleted": 0, "purged": False}
            for key in keys
        ],
    )  # fmt: skip
    files = [{"version_id": key, "path": "a.bin", "blob_id": key} for key in keys]
    connection.execute(sa.insert(schema.file), files)


def give_up_half(house) -> None:
    """Every second version has no files any more, as if its time were over."""
    file = schema.file
    house.catalog.write(
        lambda connection: connection.execute(sa.delete(file).where(file.c.version_id % 2 == 0))
    )


def measure(house, *, report=print) -> dict[str, float]:
    """CPU seconds of a dry run and of gc; the longest turn alone, by the clock on the wall."""
    turns: list[float] = []
    alone = house.catalog.write_alone

    def timed(work):
        def run(connection):
            begun = time.perf_counter()
            try:
                return work(connection)
            finally:
                turns.append(time.perf_counter() - begun)

        return alone(run)

    house.catalog.write_alone = timed
    from modelyard.registry.gc import gc

    found = {}
    for name, dry in (("dry run", True), ("gc", False), ("gc again", False)):
        begun = time.process_time()
        report(f"{name}: {gc(house, dry_run=dry)}")
        found[name] = time.process_time() - begun
    house.catalog.write_alone = alone
    return found | {"longest turn alone": max(turns)}


def _main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        yard = create(Path(folder) / "yard")
        begun = time.process_time()
        populate(yard.house, count)
        print(f"made {count:,} chunks in {time.process_time() - begun:.1f} s CPU")
        give_up_half(yard.house)
        for name, seconds in measure(yard.house).items():
            print(f"{name:20} {seconds:8.3f} s")
        yard.close()


if __name__ == "__main__":
    _main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
