"""The section "Stores and databases" of docs/benchmarks.md."""

from __future__ import annotations

from tests.benchmarks.store.sections import Section

__all__ = ["SECTION"]

SECTION = Section(
    "stores",
    head="""## Stores and databases

<!-- Written by `make bench SUITE=stores`; do not edit. -->

Each step is a process of ours; servers run beside it on the same machine ({machine}) and are not in
the processor times. Other work ran on the machine (its load was {load} when the parts ended), so
times are processor times; ratios by the clock (commits a second, search, log) vary by half and more
between runs on such a machine, bytes do not, and requests by two or three.
""",
    texts={
        "traffic": """### Requests and bytes to S3

A proxy between us and moto's S3 server counts what is on the wire: every request of any method,
from the opening of the yard on, and the bytes of bodies. Versions are float32 weights; "per GB" is
per GB of the version, whatever part of it travels.
""",
        "processor": """### Processor time of stores

Commit and checkout of one file in a process of its own, catalog in SQLite; medians of rounds in
which the stores take turns. "noise" can't be compressed: there the store is most of the work.
""",
        "verify": "### Verify, gc\n",
        "small": """### Small updates

A trained scikit-learn pipeline whose numbers change a little from commit to commit (57 KB); the
servers wait for no disk (as in the tests), SQLite and the folder do.
""",
        "latency": "### Questions\n",
    },
    same={"dvc": "traffic", "gc": "verify"},
)
