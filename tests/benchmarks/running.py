"""Run the parts of a benchmark, and write its section of docs/benchmarks.md.

The section lies between two comments, which other benchmarks leave alone. Parts that are not
measured now keep their last numbers, which lie in the folder of `--work`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.results import machine
from tests.benchmarks.store.sections import line

if TYPE_CHECKING:
    from tests.benchmarks.store.sections import Section

__all__ = ["ROOT", "Measure", "arguments", "run"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/benchmarks.md"
Measure: TypeAlias = Callable[[argparse.Namespace], Iterable[Check]]


def arguments(
    name: str, about: str | None, parts: Iterable[str],
    options: Callable[[argparse.ArgumentParser], object] | None = None,
) -> argparse.Namespace:  # fmt: skip
    """What was asked for: `parts`, `work`, `render`, and the options of its own."""
    known = list(parts)
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}", description=about)
    parser.add_argument("parts", nargs="*", default=known, metavar="PART", help=", ".join(known))
    parser.add_argument("--render", action="store_true", help="no run: the last numbers again")
    parser.add_argument("--work", type=Path, default=Path(".bench"))
    if options is not None:
        options(parser)
    given = parser.parse_args()
    given.work = given.work.absolute()
    unknown = [part for part in given.parts if part not in known]
    if unknown:
        parser.error(f"no part {unknown[0]}: {', '.join(known)}")
    return given


def run(
    section: Section, parts: Mapping[str, Measure], given: argparse.Namespace, *,
    page: Path = PAGE, kept: str | None = None,
) -> int:  # fmt: skip
    """Measure, tell, and write; the exit code: 1 if a limit is missed.

    Args:
        kept: The file of the last numbers, if it is not `results-NAME.json`.
    """
    given.work.mkdir(parents=True, exist_ok=True)
    results = given.work / (kept or f"results-{section.name}.json")
    found = json.loads(results.read_text()) if results.exists() else {}
    for part in [] if given.render else given.parts:
        checks = []
        for check in parts[part](given):
            checks.append(check)
            print(line(check), file=sys.stderr, flush=True)
        found[part] = {"machine": machine(), "checks": [asdict(check) for check in checks]}
        results.write_text(json.dumps(found, indent=1))
    told = {
        part: found[part]
        for part in parts
        if part in found and (part in section.texts or part in section.same)
    }
    section.write(page, told)
    print(f"written: {page}")
    judged = [Check(**plain) for said in found.values() for plain in said["checks"]]
    return 1 if any(check.passed is False for check in judged) else 0
