"""What every history is made of, whatever system it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from modelyard.core.imports import LeftOut
from modelyard.core.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Omissions", "Source", "SourceFile", "SourceRef", "Step"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of one step."""

    key: str
    """Files of one key have the same bytes; reading one of them is enough."""
    mode: int
    """As git knows it: 0o100644, 0o100755, 0o120000."""
    is_pointer: bool = False
    """Whether git holds a git-lfs pointer to it, as it shall be here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One commit, revision or version of the source that becomes a version here."""

    origin: str
    """Where it came from: the label `origin` of its version, by which a second run knows it."""
    parents: tuple[str, ...] = ()
    """Origins."""
    branch: str
    author: str
    time: int
    """Microseconds since 1970."""
    message: str
    labels: Mapping[str, str] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=Manifest)
    number: int | None = None
    """The number that the version should have, if it is free."""
    commit: bytes | None = None
    """The body of a git commit: its author, committer, times and message are kept as they are."""
    keeps_id: bool = False
    """Whether the id of this commit is kept, if nothing in its tree has to change."""


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A branch, tag or alias of the source."""

    name: str
    kind: Literal["branch", "tag", "alias"]
    origin: str
    """Of the step that it points at."""


class Source(Protocol):
    """A history that is being read."""

    def steps(self) -> Iterator[Step]:
        """Parents before children, otherwise in order of time."""

    def files(self, step: Step) -> Mapping[str, SourceFile]:
        """By path; asked only for steps that are not there yet."""

    def content(self, file: SourceFile, room: Path) -> bytes | Path | None:
        """Its bytes, or a file that holds them (in `room` if it had to be written); None if lost.

        The reason of a loss is noted in `omissions`.
        """

    def git_object(self, sha: bytes) -> tuple[int, bytes]:
        """Kind and body of a git object, if commits are kept."""

    def refs(self) -> list[SourceRef]: ...

    @property
    def omissions(self) -> Omissions: ...


class Omissions:
    """Collects what an import leaves out; the same thing in many commits is one line."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], LeftOut] = {}

    def add(self, name: str, reason: str, where: str = "") -> None:
        before = self._found.get((name, reason))
        times = before.times + 1 if before else 1
        first = before.where if before else where
        self._found[name, reason] = LeftOut(name=name, reason=reason, where=first, times=times)

    def all(self) -> tuple[LeftOut, ...]:
        return tuple(self._found.values())
