"""`python -m tests.benchmarks.stores`: stores and databases; writes their section of the page."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks import running
from tests.benchmarks.stores import processor, small, traffic, upkeep
from tests.benchmarks.stores.places import places
from tests.benchmarks.stores.running import Bench
from tests.benchmarks.stores.section import SECTION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from tests.benchmarks.store.checks import Check

PARTS = {
    "traffic": traffic.traffic,
    "dvc": traffic.dvc,
    "processor": processor.processor,
    "verify": upkeep.verify,
    "gc": upkeep.gc,
    "small": small.small,
    "latency": small.latency,
}
QUICK = {
    "traffic_mb": 60, "cycle_mb": 40, "rounds": 1, "verify_mb": 40, "chunks": 2000, "commits": 8,
    "versions": 200,
}  # fmt: skip


def main() -> int:
    given = running.arguments("stores", __doc__, PARTS, _options)
    page, kept = running.PAGE, None
    if given.quick:
        page, kept = given.work / "benchmarks-stores.md", "results-stores-quick.json"
    with places() as made:
        bench = Bench(given.work, made, **(QUICK if given.quick else {}))
        parts = {part: partial(_measure, measure, bench) for part, measure in PARTS.items()}
        return running.run(SECTION, parts, given, page=page, kept=kept)


def _measure(
    measure: Callable[[Bench], Iterable[Check]], bench: Bench, given: argparse.Namespace
) -> Iterable[Check]:
    yield from measure(bench)
    shutil.rmtree(given.work / "stores", ignore_errors=True)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="small, once: does everything run?")


if __name__ == "__main__":
    sys.exit(main())
