"""The section "Stores and databases" of docs/benchmarks.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.tables import checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["kept", "line", "write"]

_FROM, _TO = "<!-- stores -->", "<!-- /stores -->"
HEAD = """## Stores and databases

<!-- Written by `make bench SUITE=stores`; do not edit. -->

Each step is a process of ours; servers run beside it on the same machine ({machine}) and are not in
the processor times. Other work ran on the machine (its load was {load} when the parts ended), so
times are processor times; ratios by the clock (commits a second, search, log) vary by half and more
between runs on such a machine, bytes do not, and requests by two or three.
"""
TEXTS = {
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
}
_SAME = {"dvc": "traffic", "gc": "verify"}
"""Parts that share a table."""


def line(check: Check) -> str:
    limit = "" if check.limit is None else f" (limit {check.limit:g})"
    return f"{check.group}: {check.what} {check.value:.4g} {check.unit}{limit} {check.note}"


def kept(page: Path) -> str:
    """The section as it is in the page, with a line before it; empty if there is none."""
    found = re.search(f"{_FROM}.*{_TO}\n", page.read_text(), re.S) if page.exists() else None
    return f"\n{found[0]}" if found else ""


def write(page: Path, parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the section into the page, in the place of an earlier one or at its end."""
    old = kept(page)
    text = page.read_text() if page.exists() else ""
    new = f"\n{_FROM}\n{_text(parts)}{_TO}\n"
    page.write_text(text.replace(old, new) if old else text + new)


def _text(parts: Mapping[str, Mapping[str, Any]]) -> str:
    facts = list(parts.values())[-1]["machine"]
    named = ", ".join(str(facts[key]) for key in ("processor", "system", "date"))
    loads = sorted(part["machine"]["load"] for part in parts.values())
    head = HEAD.format(
        machine=f"{named}, {facts['cores']} cores", load=f"{loads[0]:.1f} to {loads[-1]:.1f}"
    )
    tables: dict[str, list[Check]] = {}
    for part, said in parts.items():
        checks = [Check(**plain) for plain in said["checks"]]
        tables.setdefault(_SAME.get(part, part), []).extend(checks)
    return "\n".join(
        [head, *(f"{TEXTS[part]}\n{checked(checks, 'case')}" for part, checks in tables.items())]
    )
