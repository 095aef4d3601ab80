"""`python -m tests.benchmarks.server [PART...]`: measure the server, write its section of the page.

`load` runs eight clients for `--minutes` (ten), `kills` kills a server `--kills` times under load;
both exit with 1 if anything is lost. Parts that are not measured now keep their last numbers.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from tests.benchmarks import running
from tests.benchmarks.server.section import SECTION
from tests.benchmarks.store.checks import Check

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

PARTS = ("start", "register", "lists", "transfer", "load", "kills")


def main() -> int:
    given = running.arguments("server", __doc__, PARTS, _options)
    return running.run(SECTION, {part: partial(_measure, part) for part in PARTS}, given)


def _measure(part: str, given: argparse.Namespace) -> Iterator[Check]:
    if part == "start":
        from tests.benchmarks.server.start import start

        yield from start(given.work)
    elif part == "register":
        from tests.benchmarks.server.register import register

        yield from register(given.work, peers=not given.alone)
    elif part == "lists":
        from tests.benchmarks.server.lists import lists

        yield from lists(given.work)
    elif part == "transfer":
        from tests.benchmarks.server.transfer import transfer

        yield from transfer(given.work)
    elif part == "load":
        yield from _load(given)
    elif part == "kills":
        yield from _kills(given)


def _load(given: argparse.Namespace) -> Iterator[Check]:
    from tests.benchmarks.server.load import load

    with tempfile.TemporaryDirectory(dir=given.work) as place:
        told = load(Path(place) / "yard", given.minutes * 60)
    print(*told.lines(), *told.wrong, sep="\n", file=sys.stderr)
    calls = sum(map(len, told.calls.values()))
    yield Check("load", f"errors in {given.minutes:g} minutes", len(told.errors), 0)
    yield Check("load", "acknowledged versions lost", len(told.lost), 0)
    yield Check("load", "growth of memory", told.growth, 0.15)
    yield Check("load", "calls", calls / told.seconds, None, "/s")
    for name, took in sorted(told.calls.items()):
        yield Check("load", f"{name}, p95", quantiles(took, n=20)[18] * 1e3, None, "ms")


def _kills(given: argparse.Namespace) -> Iterator[Check]:
    from tests.benchmarks.server.kills import kill_often

    with tempfile.TemporaryDirectory(dir=given.work) as place:
        told = kill_often(Path(place) / "yard", given.kills)
    print(*told.wrong, sep="\n", file=sys.stderr)
    note = f"{told.kills} kills, {told.acknowledged} versions acknowledged"
    yield Check("kills", "things not as promised", len(told.wrong), 0, note=note)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="without MLflow beside")


if __name__ == "__main__":
    sys.exit(main())
