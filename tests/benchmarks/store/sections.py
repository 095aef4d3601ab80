"""Sections of docs/benchmarks.md that benchmarks of their own write, between two comments each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.tables import checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Section", "kept", "line"]


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark says in the page."""

    name: str
    head: str
    """With `{machine}` and `{load}`."""
    texts: Mapping[str, str]
    """What stands before the table of each part."""
    same: Mapping[str, str] = field(default_factory=dict)
    """Parts whose rows stand in another part's table."""

    def kept(self, page: Path) -> str:
        """The section as it is in the page, with a line before it; empty if there is none."""
        if not page.exists():
            return ""
        found = re.search(f"<!-- {self.name} -->.*<!-- /{self.name} -->\n", page.read_text(), re.S)
        return f"\n{found[0]}" if found else ""

    def write(self, page: Path, parts: Mapping[str, Mapping[str, Any]]) -> None:
        """Put the section into the page, in the place of an earlier one or at its end."""
        old = self.kept(page)
        text = page.read_text() if page.exists() else ""
        new = f"\n<!-- {self.name} -->\n{self._text(parts)}<!-- /{self.name} -->\n"
        page.write_text(text.replace(old, new) if old else text + new)

    def _text(self, parts: Mapping[str, Mapping[str, Any]]) -> str:
        facts = list(parts.values())[-1]["machine"]
        named = ", ".join(str(facts[key]) for key in ("processor", "system", "date"))
        loads = sorted(part["machine"]["load"] for part in parts.values())
        head = self.head.format(
            machine=f"{named}, {facts['cores']} cores", load=f"{loads[0]:.1f} to {loads[-1]:.1f}"
        )
        tables: dict[str, list[Check]] = {}
        for part, said in parts.items():
            checks = [Check(**plain) for plain in said["checks"]]
            tables.setdefault(self.same.get(part, part), []).extend(checks)
        rows = (f"{self.texts[part]}\n{checked(found, 'case')}" for part, found in tables.items())
        return "\n".join([head, *rows])


def kept(page: Path) -> str:
    """All sections of the page, as they are."""
    if not page.exists():
        return ""
    found = re.finditer(r"<!-- (\w+) -->\n.*?<!-- /\1 -->\n", page.read_text(), re.S)
    return "".join(f"\n{section[0]}" for section in found)


def line(check: Check) -> str:
    """A check as it is told while others are still measured."""
    limit = "" if check.limit is None else f" (limit {check.limit:g})"
    return f"{check.group}: {check.what} {check.value:.4g} {check.unit}{limit} {check.note}"
