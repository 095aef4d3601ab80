"""Reports about the house itself: what it holds, what gc took, what verify found."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Damage", "GcReport", "ModelStats", "VerifyReport", "YardStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStats:
    """Bytes of one model."""

    name: str
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

    @property
    def ratio(self) -> float:
        """Stored bytes, catalog included, over logical bytes."""
        return (self.stored + self.catalog) / self.logical if self.logical else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What gc freed, or would free."""

    dry_run: bool
    chunks: int
    """Chunks that nothing needs any more."""
    freed: int
    """Bytes given back now."""
    waiting: int
    """Bytes that go when their grace time is over."""
    packs_deleted: int
    packs_rewritten: int
    versions_purged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Something that can't be read back as it was stored."""

    what: str
    """`chunk`, `pack`, `commit`, `ref`."""
    name: str
    versions: tuple[str, ...]
    """`model@number` of every version that needs it."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The outcome of reading everything."""

    versions: int
    blobs: int
    chunks: int
    bytes: int
    damage: tuple[Damage, ...]
    rebuilt: bool = False

    @property
    def ok(self) -> bool:
        return not self.damage
