"""`python -m tests.benchmarks.web [PART...]`: measure pages, write their section of the page."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks import running
from tests.benchmarks.web.section import SECTION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from tests.benchmarks.store.checks import Check

MODULES = {
    "lists": "serving", "model": "serving", "compare": "comparing", "weight": "looking",
    "paint": "looking",
}  # fmt: skip
"""The module of each part's function."""


def main() -> int:
    parts = {part: partial(_measure, part) for part in MODULES}
    return running.run(SECTION, parts, running.arguments("web", __doc__, parts))


def _measure(part: str, given: argparse.Namespace) -> Iterable[Check]:
    module = importlib.import_module(f"tests.benchmarks.web.{MODULES[part]}")
    checks: Iterable[Check] = getattr(module, part)(given.work)
    return checks


if __name__ == "__main__":
    sys.exit(main())
