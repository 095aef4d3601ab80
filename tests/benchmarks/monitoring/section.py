"""The section "Monitoring" of docs/benchmarks.md."""

from __future__ import annotations

from tests.benchmarks.store.sections import Section

__all__ = ["SECTION"]

SECTION = Section(
    "monitoring",
    head="""## Monitoring

<!-- Written by `make bench SUITE=monitoring`; do not edit. -->

{machine}; its load was {load} when the parts ended. Processor time, where it is not said otherwise.
""",
    texts={
        "fold": """### Rows into tiles

20 columns of numbers, one thread. The day is 10 million rows in 1,440 tiles, packed and rolled up.
""",
        "cost": """### What being watched costs

`threads`: the work of monitoring's own threads for each row, by how many rows come in a second.
`served`: two real servers beside each other, one of them with `--no-monitoring`.
""",
        "null": """### False alarms of drift

Windows of 1,000 to 1,000,000 rows in which nothing changed.
""",
        "power": "### Shifts that are found\n",
        "evidently": """### Beside Evidently

`DataDriftPreset` of Evidently in an environment of its own, 100,000 rows of 20 columns.
""",
        "cbpe": """### Accuracy without truth

Real tables, three models each; windows of 5,000 to 20,000 rows whose inputs moved (drawn by
weights, none twice), none of them rows that the reference has seen. Tables and split were chosen
while the estimator was made.
""",
        "anomalies": """### Anomalies

Simulated clients. Thresholds were chosen on the same worlds: these are no rates of a field test.
""",
    },
)
