"""`yard import git`: a repository, or one folder of it, becomes a model."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.core.imports import Imported
from modelyard.core.names import ModelName
from modelyard.history.importing.git import GitSource
from modelyard.history.importing.gitmirror import clone
from modelyard.registry.histories.bringing import bring
from modelyard.registry.histories.names import fit_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.version import Progress
    from modelyard.registry.house import House

__all__ = ["import_git"]


def import_git(
    house: House,
    source: str,
    model: str | None = None,
    *,
    path: str = "",
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Imported:
    """Bring branches, tags and every commit; what came before is not brought again.

    Args:
        source: A folder or a URL.
        model: Named after the folder, or the URL's last part, if not given.
        path: Only this folder of the repository.

    Raises:
        NotFound: `no-repository`.
        InvalidInput: `bad-source`, `empty-repository`, `shallow-repository`.
    """
    started = time.monotonic()
    name = ModelName.parse(model or fit_model(_last(path or source)))
    with tempfile.TemporaryDirectory(prefix="yard-git-") as room:
        mirror = clone(source, Path(room))
        opened = GitSource(mirror, path=path)
        try:
            done = bring(house, opened, name, origin=mirror.shown, report=report)
        finally:
            opened.close()
    return Imported(
        source=mirror.shown, system="git", models=(done,),
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def _last(source: str) -> str:
    return Path(source.rstrip("/").removesuffix("/.git")).expanduser().resolve().name
