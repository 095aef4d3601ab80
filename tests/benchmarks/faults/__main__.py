"""`python -m tests.benchmarks.faults`: thousands of faults, and the count of what was lost."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.faults.part import run
from tests.faults.engine.kinds import KINDS
from tests.faults.engine.table import summary, table, write

if TYPE_CHECKING:
    from tests.faults.engine.lab import Row

PAGE = Path(__file__).parents[3] / "docs/explain/reliability.md"
_PART = 50
"""Faults of one lab; then a new one begins, with a seed of its own."""


def main() -> int:
    given = _arguments()
    started = time.monotonic()
    rows: list[Row] = []
    parts = list(_parts(given.count, given.seed, given.kinds))
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for done in pool.map(run, parts):
            rows += done
            for row in done:
                if not row.fine:
                    print(row, flush=True)
            print(f"{len(rows):,} of {given.count:,}", file=sys.stderr)
            if given.write and {row.kind for row in rows} >= set(KINDS):
                write(PAGE, rows, given.seed)  # so far
    print(table(rows, given.seed))
    print(f"\n{summary(rows)}; {time.monotonic() - started:.0f} s")
    if given.write:
        print(f"written: {PAGE}")
    return 0 if all(row.fine for row in rows) else 1


def _parts(count: int, seed: int, names: list[str]):
    """(kind, how many, seed): each kind by its share, in turns."""
    shares = sum(KINDS[name].share for name in names)
    left = {name: -(-count * KINDS[name].share // shares) for name in names}
    while any(left.values()):
        for name in names:
            if part := min(left[name], _PART):
                seed += 1
                left[name] -= part
                yield name, part, seed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.faults", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="at least so many; default 2000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="default: all of them")
    parser.add_argument("--write", action="store_true", help=f"the table into {PAGE.name}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
