"""What a version came from and what came of it, as a graph of some steps around it. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from modelyard.core.version import VersionInfo

__all__ = ["Family", "Link", "Member"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One node of a family: a version of a model or dataset, or data that is kept elsewhere."""

    key: str
    """`model@number`, or what names it elsewhere."""
    kind: Literal["model", "dataset", "elsewhere"]
    title: str
    """As people write it."""
    version: VersionInfo | None
    """What is known of it; None for what is kept elsewhere, or is gone for good."""
    steps: int
    """From the version in the middle: below 0 for what it came from, above for what came of it."""
    more: bool
    """Whether there is more in this direction that is not shown."""


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One came of the other."""

    source: str
    """Key of what was there first."""
    target: str
    """Key of what came of it."""
    kind: str
    """`parent`, or a kind of lineage: `trained-on`, `merged-from`, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A version with what is around it."""

    middle: str
    """Key of the version that was asked for."""
    members: tuple[Member, ...]
    """By their steps, then in the order in which they were found."""
    links: tuple[Link, ...]
    back: int
    """How many steps were gone back."""
    ahead: int
    """How many steps were gone ahead."""
    cut: bool
    """Whether there were more than are shown, within these steps."""

    def member(self, key: str) -> Member | None:
        """The one with this key."""
        return next((member for member in self.members if member.key == key), None)
