"""What mixing weights made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.views import words
from modelyard.cli.views.versions import CommittedView
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.cli.text import Block
    from modelyard.core.version import Mixed

__all__ = ["MixedView"]


@dataclass(frozen=True, slots=True)
class MixedView:
    """The new version, and what it took."""

    made: Mixed

    def json(self) -> object:
        return self.made

    def lines(self) -> Iterator[Block]:
        made = self.made
        yield from CommittedView(made).lines()
        tensors = words.count(made.tensors, "tensor")
        yield f"{tensors}, {human_size(made.read_bytes)} read, {words.duration(made.seconds)}"

    def ids(self) -> Iterator[str]:
        yield from CommittedView(self.made).ids()
