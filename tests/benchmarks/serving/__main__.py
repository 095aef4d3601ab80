"""`python -m tests.benchmarks.serving [PART...]`: measure the data plane, write its section.

Only one benchmark of this kind runs at a time on a machine. Numbers that are measured while others
work do not get into the page: with `--loud` and `--quick` they lie in the folder of `--work`.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks import running
from tests.benchmarks.serving import comparing, machine, models, singles
from tests.benchmarks.serving.environments import HOME
from tests.benchmarks.serving.peers import PEERS
from tests.benchmarks.serving.section import SECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.benchmarks.serving.models import Models
    from tests.benchmarks.store.checks import Check

PARTS = {
    "peers": comparing.compare,
    "inside": singles.inside,
    "start": singles.start,
    "large": singles.large,
    "swap": singles.swap,
    "kill": singles.kill,
    "overload": singles.overloaded,
    "cold": singles.cold,
}


def main() -> int:
    given = running.arguments("serving", __doc__, PARTS, _options)
    if given.quick:
        given.seconds, given.changes, given.requests, given.overload = 1, 18, 10_000, 5
    page, kept = running.PAGE, None
    if given.quick or given.loud:
        page, kept = given.work / "benchmarks-serving.md", "results-serving-tried.json"
    parts = {part: partial(_measure, measure) for part, measure in PARTS.items()}
    with machine.alone():
        return running.run(SECTION, parts, given, page=page, kept=kept)


def _measure(
    measure: Callable[[Models, argparse.Namespace], Iterable[Check]], given: argparse.Namespace
) -> Iterator[Check]:
    foreign = machine.wait_for_quiet((), given.patience)
    if foreign > machine.LOUD and not given.loud:
        raise SystemExit(f"others take {foreign:.1f} cores: --loud measures all the same")
    yield from measure(models.make(HOME / "models"), given)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peers", type=_peers, default=list(PEERS), help="with commas between")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement by wrk")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for quiet")
    parser.add_argument("--loud", action="store_true", help="measure though others work")
    parser.add_argument("--changes", type=int, default=200, help="under load")
    parser.add_argument("--requests", type=int, default=200_000, help="while things change")
    parser.add_argument("--overload", type=float, default=60, help="seconds of it")
    parser.add_argument("--quick", action="store_true", help="small: does everything run?")


def _peers(text: str) -> list[str]:
    chosen = [name for name in text.split(",") if name]
    if unknown := set(chosen) - set(PEERS):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: none of {', '.join(PEERS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
