"""Walks all streams of a pickle file and tells what each would import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.core.version import Finding
from modelyard.errors import InvalidInput
from modelyard.formats.pickles.allowed import framework_of, is_allowed
from modelyard.formats.pickles.machine import Machine
from modelyard.formats.pickles.source import Spent
from modelyard.formats.reading import printable

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget
    from modelyard.formats.pickles.source import Source
    from modelyard.formats.pickles.values import Value

__all__ = ["Scan", "findings_of", "scan"]

_STREAMS = 1000
_FINDINGS = 200


@dataclass(slots=True)
class Scan:
    """What the walk over a file brought."""

    machine: Machine
    roots: list[Value] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """Offset behind each of them."""
    incomplete: str = ""
    """Why the walk ended early; empty if it did not."""
    trailing: bool = False
    """Whether bytes follow that are no pickle."""

    @property
    def framework(self) -> str | None:
        return framework_of(name.name for name in self.machine.globals.values())

    @property
    def is_joblib(self) -> bool:
        return any(name.role == "wrapper" for name in self.machine.globals.values())


def scan(source: Source, budget: Budget) -> Scan:
    """Walk one stream after the other: a loader may read on, so all of them count.

    Raises `InvalidInput` if not even the first can be unpickled.
    """
    result = Scan(Machine(source, budget))
    try:
        while _one(result):
            if len(result.roots) >= _STREAMS:
                raise Spent("too many pickles follow each other")
    except Spent as spent:
        result.incomplete = str(spent)
    return result


def _one(result: Scan) -> bool:
    machine, source = result.machine, result.machine.source
    start = result.ends[-1] if result.ends else 0
    if result.roots and not source.read(start, 1):
        return False
    try:
        root, end = machine.run(start)
    except InvalidInput:
        if not result.roots:
            raise
        result.trailing = True
        return False
    result.roots.append(root)
    result.ends.append(end)
    return True


def findings_of(result: Scan, where: str, *, own: str = "\0") -> tuple[Finding, ...]:
    """One finding for each distinct name, and for all that keeps the scan from being sure.

    Names that begin with `own` are those of code that the file brings itself.
    """
    machine = result.machine
    found = []
    for name in machine.globals.values():
        safe = is_allowed(name.name) or name.name.startswith(own)
        text = printable(name.name)
        found.append(
            Finding("pickle-global", "info", f"unpickling imports {text}", f"{where}@{name.offset}")
            if safe
            else Finding(
                "pickle-global",
                "danger",
                f"unpickling would import {text}",
                f"{where}@{name.offset}",
            )
        )
    found.sort(key=lambda finding: finding.severity != "danger")
    left = len(found) - _FINDINGS
    del found[_FINDINGS:]
    if left > 0:
        found.append(Finding("pickle-global", "danger", f"{left} more names are imported", where))
    for kind, offsets, message in (
        ("pickle-computed-global", machine.computed, "a name to import is computed at load"),
        ("pickle-computed-call", machine.computed_calls, "something built at load is called"),
        ("pickle-extension", machine.extensions, "a name comes from the extension registry"),
        ("joblib-legacy", machine.legacy_joblib, "array bytes could be read as opcodes"),
    ):
        if offsets:
            found.append(Finding(kind, "danger", message, f"{where}@{offsets[0]}"))
    if result.incomplete:
        found.append(Finding("scan-incomplete", "danger", result.incomplete, where))
    if result.trailing:
        message = f"bytes follow the pickle at {machine.source.start + result.ends[-1]}"
        found.append(Finding("trailing-bytes", "warning", message, where))
    return tuple(found)
