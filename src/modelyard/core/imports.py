"""What an import of a history tells when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Imported", "ImportedModel", "LeftOut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something of the source that is not in the yard, and why."""

    name: str
    """A path, a ref, a version: as the source calls it."""
    reason: str
    where: str = ""
    """The first commit or revision that has it."""
    times: int = 1
    """In how many commits or revisions it was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """What one model got."""

    model: str
    versions: tuple[int, ...] = ()
    """Numbers of the versions that came now; those of an earlier run are not among them."""
    known: int = 0
    """How many versions were there from an earlier run."""
    refs: tuple[str, ...] = ()
    """Branches, tags and aliases that were made or moved now."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Refs and labels that could not keep their names: the source's, to the yard's."""
    kept_ids: int = 0
    """Of the versions that came: how many have the commit id that git gave them."""
    new_bytes: int = 0
    left_out: tuple[LeftOut, ...] = ()
    conflicts: tuple[str, ...] = ()
    """Refs that were left where they are, because the yard's went another way."""
    warnings: tuple[str, ...] = ()
    """What scans found, and what else somebody should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came from a git or Subversion repository, from MLflow or DVC."""

    source: str
    """Where it came from, without secrets."""
    system: str
    """`git`, `svn`, `mlflow` or `dvc`."""
    models: tuple[ImportedModel, ...]
    seconds: float

    @property
    def conflicts(self) -> int:
        """How many refs were left as the yard had them."""
        return sum(len(model.conflicts) for model in self.models)
