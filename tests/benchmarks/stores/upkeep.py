"""Verify and gc: processor time for each byte, and for each chunk."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.store.checks import Check
from tests.benchmarks.stores.running import step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.stores.running import Bench

__all__ = ["gc", "verify"]


def verify(bench: Bench) -> Iterator[Check]:
    """Raw chunks in the yard's own folder."""
    folder = bench.folder("verify")
    step("init", yard=folder / "yard", store=None, catalog=None)
    step("commit", yard=folder / "yard", file=bench.noise(bench.verify_mb))
    said = [step("verify", yard=folder / "yard") for _ in range(bench.rounds)]
    took, size = median(one["cpu"] for one in said), said[0]["bytes"]
    note = f"{size / 1e6:,.0f} MB in {took:.2f} s CPU"
    yield Check("verify", "raw chunks on fs", size / took / 1e9, 1, "GB/s CPU", True, note)


def gc(bench: Bench) -> Iterator[Check]:
    """Half of many small chunks."""
    for name in (None, "postgres"):
        folder = bench.folder("gc")
        catalog = bench.places.catalog(name) if name else None
        said = step("gc", yard=folder / "yard", catalog=catalog, chunks=bench.chunks)
        title = {None: "SQLite", "postgres": "PostgreSQL"}[name]
        note = f"the dry run before it {said['dry']:.2f} s CPU"
        what = f"{bench.chunks:,} chunks, half of them garbage, {title}"
        yield Check("gc", what, said["cpu"], 10, "s CPU", note=note)
