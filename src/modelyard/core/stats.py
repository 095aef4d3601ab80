"""Reports about the house itself: what it holds, what gc took, what verify found."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Damage", "GcReport", "ModelStats", "VerifyReport", "YardStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStats:
    """Bytes of one model."""

    name: str
    """Of the model."""
    versions: int
    logical: int
    """Sum of the sizes of all its versions, as plain copies would take."""
    new_bytes: int
    """What its versions added when they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YardStats:
    """Bytes of a yard."""

    models: int
    versions: int
    blobs: int
    chunks: int
    packs: int
    logical: int
    """Sum over all versions, as plain copies would take."""
    unique: int
    """Distinct chunks before encoding: what deduplication leaves."""
    stored: int
    """Bytes of all packs: what encoding leaves."""
    catalog: int
    """Bytes of the catalog's files."""
    per_model: tuple[ModelStats, ...]
    """Largest first."""

    @property
    def ratio(self) -> float:
        """Stored bytes, catalog included, over logical bytes."""
        return (self.stored + self.catalog) / self.logical if self.logical else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What gc freed, or would free."""

    dry_run: bool
    """Whether nothing was done, only told."""
    chunks: int
    """Chunks that nothing needs any more, whose rows went."""
    freed: int
    """Bytes given back now: the sizes of the objects that were deleted."""
    waiting: int
    """Bytes of objects that go when their grace time is over."""
    packs_deleted: int
    """Packs that nothing needed, whose bytes went now."""
    packs_waiting: int = 0
    """Packs that nothing needs, whose bytes go when their grace time is over."""
    packs_rewritten: int
    """Packs of which little was needed, or that were small, written anew and given up."""
    moved: int = 0
    """Encoded bytes that were needed of those, and are in other packs now."""
    versions_purged: int
    """Deleted versions that can't be restored any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Something that can't be read back as it was stored."""

    what: str
    """`chunk`, `pack`, `version`, `ref`, `audit`."""
    name: str
    """Which one: a hash, as `model@number`, or as `lines 1-20` of the audit log."""
    versions: tuple[str, ...]
    """`model@number` of every version that needs it."""
    reason: str
    """What is wrong with it, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The outcome of reading everything."""

    versions: int
    blobs: int
    chunks: int
    bytes: int
    """Bytes that were read, decoded and checked."""
    damage: tuple[Damage, ...]
    """All that was found."""
    rebuilt: bool = False
    """Whether the catalog was made again."""
    repaired: tuple[str, ...] = ()
    """Hashes of the chunks whose content was taken from another yard."""

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage
