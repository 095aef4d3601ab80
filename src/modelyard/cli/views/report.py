"""A report that was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Span
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.cli.text import Block

__all__ = ["ReportView"]


@dataclass(frozen=True, slots=True)
class ReportView:
    """Where it is."""

    deployment: str
    file: Path
    size: int

    def json(self) -> object:
        return {"deployment": self.deployment, "file": str(self.file), "size": self.size}

    def lines(self) -> Iterator[Block]:
        yield [
            f"wrote the report of {self.deployment} into ", Span(str(self.file), "name"),
            f", {human_size(self.size)}",
        ]  # fmt: skip

    def ids(self) -> Iterator[str]:
        yield str(self.file)
