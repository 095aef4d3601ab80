"""A version's model, opened in a child process to be asked: for evaluation and explanation."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.core.trust import Trust
from modelyard.registry.files import contents
from modelyard.registry.publish import manifest_of
from modelyard.registry.saving import saved_of
from modelyard.registry.version_files import VersionFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.manifest import Manifest
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House
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
    house: House,
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
    found = contents(house, model, revision)
    manifest = manifest_of(found.all_files)
    with VersionFiles(house, found) as files:
        saved = saved_of(manifest, files)
        child = spawn_runtime(
            files.folder(), saved,
            trust=trust, signature=manifest.signature, limits=limits or Limits(),
        )  # fmt: skip
        with child as runtime:
            yield Asked(found, manifest, runtime)
