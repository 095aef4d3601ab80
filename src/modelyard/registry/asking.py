"""A version's model, opened in a child process to be asked: for evaluation and explanation."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.core.trust import Trust
from modelyard.registry.saving import stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.manifest import Manifest
    from modelyard.registry.desk import Desk
    from modelyard.registry.files import Contents
    from modelyard.runtimes import Runtime
    from modelyard.runtimes.process import Limits

__all__ = ["Asked", "opened"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which version answers."""

    contents: Contents
    manifest: Manifest
    runtime: Runtime

    @property
    def model(self) -> str:
        return self.contents.model.name

    @property
    def number(self) -> int:
        return self.contents.version.number


@contextmanager
def opened(
    desk: Desk,
    model: str,
    revision: str | int | None,
    trusted: Any = None,
    limits: Limits | None = None,
) -> Iterator[Asked]:
    """Write the version's files into a folder, and let a child process load them.

    Raises:
        Denied: `untrusted`, naming what loading would import.
        Unavailable: the child died, or took longer or more memory than it may.
    """
    from modelyard.runtimes.process import Limits, spawn_runtime

    trust = Trust.of(trusted)
    with stored(desk, model, revision) as version:
        child = spawn_runtime(
            version.files.folder(), version.saved,
            trust=trust, signature=version.manifest.signature, limits=limits or Limits(),
        )  # fmt: skip
        with child as runtime:
            yield Asked(version.contents, version.manifest, runtime)
