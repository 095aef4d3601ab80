"""What copying between yards, backups and exports tell when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["BackedUp", "Copied", "CopiedModel", "CopyConflict", "Exported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyConflict:
    """Something that the target has otherwise: it was left as it is."""

    what: str
    """`branch`, `tag`, `alias`, `label`, or `version` for one that was deleted there."""
    name: str
    there: str
    """What the target has: a version number, or a label's value."""
    here: str
    """What the source has, in the target's numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedModel:
    """What one model got from another yard."""

    model: str
    """Its name in the target."""
    versions: tuple[int, ...]
    """Numbers, in the target, of the versions that came."""
    renumbered: Mapping[int, int] = field(default_factory=dict)
    """Numbers that were taken: the source's by the target's."""
    renamed_from: str | None = None
    """The name that the target had for it before."""
    refs: tuple[str, ...] = ()
    """Branches, tags and aliases that were made or moved forward."""
    labels: int = 0
    """How many labels came to versions that were there already."""
    reports: int = 0
    """How many evaluations and other reports came."""
    conflicts: tuple[CopyConflict, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the target has anything now that it had not before."""
        return bool(
            self.versions or self.refs or self.labels or self.reports or self.renamed_from
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What travelled between two yards, or would."""

    source: str
    """Where it came from."""
    target: str
    """Where it went to."""
    models: tuple[CopiedModel, ...]
    """Those of which anything travelled, or is in conflict."""
    versions: int
    """How many versions came."""
    chunks: int
    """How many chunks the target did not have."""
    bytes: int
    """Of these chunks, as they are stored."""
    seconds: float
    dry_run: bool = False
    """Whether nothing was done, only told."""

    @property
    def conflicts(self) -> int:
        """How many things were left as the target had them."""
        return sum(len(model.conflicts) for model in self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A backup that was written, or made a yard of."""

    file: str
    """The backup's file; of a dump of the catalog alone, its key in the store."""
    packs: int
    """How many packs it holds."""
    versions: int
    bytes: int
    """Of the file."""
    sealed: bool
    """Whether reading it takes the yard's key."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A version in a file of its own."""

    model: str
    number: int
    commit: str
    """Of the version that was exported."""
    file: str
    files: int
    bytes: int
    """Of the file."""
