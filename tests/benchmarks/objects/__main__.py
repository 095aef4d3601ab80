"""`python -m tests.benchmarks.objects [PART ...]`: measure, and tell what must be reached.

Parts: `commit` and `load` (quick; the default), `evaluate` (100,000 rows) and `merge` (two models
of 1 GB). The peer of `commit` is MLflow, from the environment that tests/benchmarks/store makes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks.objects import evaluation, merging, pipelines

PARTS = {
    "commit": pipelines.commit,
    "load": pipelines.load,
    "evaluate": lambda given: evaluation.main(given.rows) == 0,
    "merge": lambda given: merging.main(given.size),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.objects", description=__doc__)
    parser.add_argument("parts", nargs="*", default=["commit", "load"], metavar="PART")
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="where peers live")
    parser.add_argument("--times", type=int, default=15, help="how often each is measured")
    parser.add_argument("--rows", type=int, default=100_000, help="of the evaluation")
    parser.add_argument("--size", type=int, default=1000, help="MB of a merged model")
    given = parser.parse_args()
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]}: {', '.join(PARTS)}")
    reached = [PARTS[part](given) for part in given.parts]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
