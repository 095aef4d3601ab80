"""`yard import svn`: a Subversion repository becomes a model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from modelyard.core.imports import Imported
from modelyard.core.names import ModelName
from modelyard.history.importing.svn import SvnSource, read_authors
from modelyard.history.importing.svnclient import SvnClient
from modelyard.registry.histories.bringing import bring
from modelyard.registry.histories.names import fit_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.version import Progress
    from modelyard.registry.house import House

__all__ = ["import_svn"]


def import_svn(
    house: House,
    source: str,
    model: str | None = None,
    *,
    trunk: str | None = None,
    branches: Sequence[str] = (),
    tags: Sequence[str] = (),
    authors: str = "",
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Imported:
    """Bring revisions of trunk, branches and tags; what came before is not brought again.

    Args:
        source: A URL, or a folder that holds a repository or a working copy.
        trunk: Its folder, if the layout is another than trunk, branches and tags.
        authors: Lines `name = Full Name <mail>`.

    Raises:
        NotFound: `no-repository`.
        InvalidInput: `bad-source`, `empty-repository`, `bad-authors`.
    """
    started = time.monotonic()
    people = read_authors(authors)
    client = SvnClient(source)
    name = ModelName.parse(model or fit_model(Path(unquote(client.url)).name))
    opened = SvnSource(client, trunk=trunk, branches=branches, tags=tags, authors=people)
    done = bring(house, opened, name, origin=client.shown, report=report)
    return Imported(
        source=client.shown, system="svn", models=(done,),
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip
