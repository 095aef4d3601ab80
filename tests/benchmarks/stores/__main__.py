"""`python -m tests.benchmarks.stores`: measure, print, and write a section of docs/benchmarks.md.

The section lies between two comments, which `make bench` of the whole page leaves alone. Parts
that are not measured now keep their last numbers, which lie in the folder of `--work`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.results import machine
from tests.benchmarks.store.sections import line
from tests.benchmarks.stores import processor, small, traffic, upkeep
from tests.benchmarks.stores.places import places
from tests.benchmarks.stores.running import ROOT, Bench
from tests.benchmarks.stores.section import SECTION

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
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / ("results-stores-quick.json" if given.quick else "results-stores.json")
    found = json.loads(kept.read_text()) if kept.exists() else {}
    with places() as made:
        bench = Bench(given.work, made, **(QUICK if given.quick else {}))
        for part in [] if given.render else given.parts:
            checks = []
            for check in PARTS[part](bench):
                checks.append(check)
                print(line(check), file=sys.stderr, flush=True)
            found[part] = {"machine": machine(), "checks": [asdict(check) for check in checks]}
            kept.write_text(json.dumps(found, indent=1))
            shutil.rmtree(given.work / "stores", ignore_errors=True)
    page = given.work / "benchmarks-stores.md" if given.quick else ROOT / "docs/benchmarks.md"
    SECTION.write(page, {part: found[part] for part in PARTS if part in found})
    print(f"written: {page}")
    judged = [Check(**plain) for said in found.values() for plain in said["checks"]]
    return 1 if any(check.passed is False for check in judged) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stores", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=str([*PARTS]))
    parser.add_argument("--quick", action="store_true", help="small, once: does everything run?")
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
