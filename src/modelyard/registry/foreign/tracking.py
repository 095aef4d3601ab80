"""What MLflow knows of registered models, whatever it keeps it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["DELETED", "PROMPT", "Registered", "Run", "TrackedVersion", "Tracking"]

PROMPT = "mlflow.prompt.is_prompt"
DELETED = "Deleted_Internal"
"""The stage of versions that were deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedVersion:
    """A model version of MLflow."""

    number: int
    created: int
    """Milliseconds since 1970."""
    user: str
    description: str
    stage: str
    source: str
    place: str
    """Where its files are: the source, resolved."""
    run: str
    model_id: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registered model of MLflow."""

    name: str
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    versions: tuple[TrackedVersion, ...]
    """In order of their numbers; deleted ones are not among them."""

    @property
    def is_prompt(self) -> bool:
        return self.tags.get(PROMPT, "").lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run, or a logged model, says of itself."""

    user: str = ""
    place: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


class Tracking(Protocol):
    """An MLflow that is read."""

    @property
    def shown(self) -> str:
        """Where it is, for people."""

    def models(self, name: str | None) -> Iterator[Registered]:
        """All registered models, or the one of this name."""

    def run(self, key: str) -> Run | None: ...

    def logged(self, key: str) -> Run | None:
        """A logged model (`m-...`) of MLflow 3."""

    def files(self, place: str) -> Mapping[str, tuple[str, int]] | str:
        """A key and the size of each file below a place, by path; or why there are none."""

    def read(self, key: str, room: Path) -> bytes | Path | None:
        """The bytes of a file that `files` told of."""

    def close(self) -> None: ...
