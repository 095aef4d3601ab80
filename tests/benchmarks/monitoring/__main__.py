"""`python -m tests.benchmarks.monitoring [PART...]`: measure monitoring, write its section."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import running
from tests.benchmarks.monitoring import anomalies, cbpe, cost, drift, fold
from tests.benchmarks.monitoring.section import SECTION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tests.benchmarks.store.checks import Check


def _fold(_: argparse.Namespace) -> Iterator[Check]:
    for part in (fold.folding, fold.state, fold.day):
        yield from part()


def _cost(given: argparse.Namespace) -> Iterator[Check]:
    with tempfile.TemporaryDirectory(prefix="yard-cost-") as place:
        folder = Path(place) / "yard"
        cost.make_yard(folder)
        yield from cost.beside(folder)
        yield from cost.served(folder, requests=given.requests)


PARTS = {
    "fold": _fold,
    "cost": _cost,
    **drift.PARTS,
    "cbpe": lambda given: cbpe.checks(given.each),
    "anomalies": lambda _: anomalies.checks(),
}


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=40_000, help="to two servers")
    parser.add_argument("--each", type=int, default=20, help="windows of a part of a table")
    parser.add_argument("--windows", type=int, default=10_000, help="in which nothing changed")
    parser.add_argument("--tries", type=int, default=1_000, help="of a shift to be found")
    parser.add_argument("--rows", type=int, default=100_000, help="beside Evidently")
    parser.add_argument("--seed", type=int, default=0)


if __name__ == "__main__":
    sys.exit(running.run(SECTION, PARTS, running.arguments("monitoring", __doc__, PARTS, _options)))
