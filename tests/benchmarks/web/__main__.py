"""`python -m tests.benchmarks.web [PART...]`: measure pages, write their section of the page.

Parts that are not measured now keep their last numbers.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.results import machine
from tests.benchmarks.store.sections import line
from tests.benchmarks.web.section import SECTION

ROOT = Path(__file__).resolve().parents[3]
PARTS = {
    "lists": "serving", "model": "serving", "compare": "comparing", "weight": "looking",
    "paint": "looking",
}  # fmt: skip
"""The module of each part's function."""


def main() -> int:
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "results-web.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for part in [] if given.render else given.parts:
        module = importlib.import_module(f"tests.benchmarks.web.{PARTS[part]}")
        checks = []
        for check in getattr(module, part)(given.work):
            checks.append(check)
            print(line(check), file=sys.stderr, flush=True)
        found[part] = {"machine": machine(), "checks": [asdict(check) for check in checks]}
        kept.write_text(json.dumps(found, indent=1))
    SECTION.write(
        ROOT / "docs/benchmarks.md", {part: found[part] for part in PARTS if part in found}
    )
    judged = [Check(**plain) for said in found.values() for plain in said["checks"]]
    return 1 if any(check.passed is False for check in judged) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.web", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=str([*PARTS]))
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
