"""`python -m tests.benchmarks.server [PART...]`: measure the server, write its section of the page.

`load` runs eight clients for `--minutes` (ten), `kills` kills a server `--kills` times under load;
both exit with 1 if anything is lost. Parts that are not measured now keep their last numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from tests.benchmarks.server.section import SECTION
from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.results import machine
from tests.benchmarks.store.sections import line

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("start", "register", "lists", "transfer", "load", "kills")


def main() -> int:
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "results-server.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for part in [] if given.render else given.parts:
        checks = []
        for check in _measure(part, given):
            checks.append(check)
            print(line(check), file=sys.stderr, flush=True)
        found[part] = {"machine": machine(), "checks": [asdict(check) for check in checks]}
        kept.write_text(json.dumps(found, indent=1))
    told = {part: found[part] for part in PARTS if part in found and part in SECTION.texts}
    SECTION.write(ROOT / "docs/benchmarks.md", told)
    judged = [Check(**plain) for said in found.values() for plain in said["checks"]]
    return 1 if any(check.passed is False for check in judged) else 0


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.server", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=str(PARTS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="without MLflow beside")
    parser.add_argument("--render", action="store_true", help="no run: the last numbers again")
    parser.add_argument("--work", type=Path, default=Path(".bench"))
    given = parser.parse_args()
    given.work = given.work.absolute()
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]}: {', '.join(PARTS)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
