"""gc, repack, four committers and two servers race on one yard, and nothing may be lost.

`make bench SUITE=race [ARGS="--minutes 1 --on folder"]`: ten minutes on SQLite and a folder and on
PostgreSQL and S3, half of the time each. Exits with 1 if anything is not as promised.
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.race.course import Outcome, race
from tests.benchmarks.race.services import servers


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.race", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--grace", type=float, default=0.02, help="minutes")
    parser.add_argument("--on", choices=["folder", "servers", "both"], default="both")
    args = parser.parse_args()
    seconds = args.minutes * (30 if args.on == "both" else 60)
    fine = True
    if args.on != "servers":
        fine &= _told("SQLite and a folder", race(seconds, grace=args.grace))
    if args.on != "folder":
        with servers() as (catalog, store):
            found = race(seconds, store=store, catalog=catalog, grace=args.grace)
        fine &= _told("PostgreSQL and S3", found)
    return 0 if fine else 1


def _told(title: str, found: Outcome) -> bool:
    print(title, *found.lines(), sep="\n  ")
    for problem in found.wrong:
        print("WRONG:", problem)
    print("  nothing lost" if not found.wrong else f"  {len(found.wrong)} things are wrong")
    return not found.wrong


if __name__ == "__main__":
    sys.exit(_main())
