"""The table of faults tried, for docs/explain/reliability.md."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.engine.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.faults.engine.lab import Row

__all__ = ["kinds_in", "summary", "table", "write"]

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def summary(rows: Sequence[Row]) -> str:
    """One line for all of them."""
    lost = sum(len(row.findings.lost) for row in rows)
    wrong = sum(not row.fine for row in rows)
    acknowledged = sum(row.acknowledged for row in rows)
    return (
        f"{len(rows):,} faults, {acknowledged:,} changes acknowledged while they happened, "
        f"{lost} versions lost, {wrong} faults with anything not as promised"
    )


def table(rows: Sequence[Row], seed: int) -> str:
    """A row for each kind of fault."""
    lines = [
        f"{summary(rows)} (`make bench SUITE=faults ARGS='--count {len(rows)} --seed {seed}'`).",
        "",
        "| fault | what is done | faults | outcomes | lost |",
        "|---|---|---|---|---|",
    ]
    for name, kind in KINDS.items():
        ours = [row for row in rows if row.kind == name]
        outcomes = Counter(_short(row.outcome) for row in ours)
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        lost = sum(len(row.findings.lost) for row in ours)
        lines.append(f"| {name} | {kind.told} | {len(ours)} | {told} | {lost} |")
    return "\n".join(lines)


def write(page: Path, rows: Sequence[Row], seed: int) -> None:
    """Put the table between the page's markers."""
    text = page.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(rows, seed)}\n{END}{after}", "utf-8")


def kinds_in(page: Path) -> list[str]:
    """The kinds that a page's table has rows for."""
    inside = page.read_text("utf-8").split(BEGIN)[1].split(END)[0]
    return re.findall(r"^\| ([^|]+?) \|", inside, re.MULTILINE)[1:]


def _short(outcome: str) -> str:
    """`refused: Unavailable disk-full` is `refused`."""
    return outcome.split(":")[0]
