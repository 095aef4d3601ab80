"""What loading, changing and measuring objects needs of a yard, here or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from modelyard.core.evaluation import Report
    from modelyard.core.monitoring import ProfileInfo
    from modelyard.core.version import Committed, Progress
    from modelyard.registry.commit import Request
    from modelyard.registry.data import DataName
    from modelyard.registry.files import Contents
    from modelyard.store.interface import Index
    from modelyard.store.reader import Reader

__all__ = ["Desk", "Shelf"]


class Shelf(Protocol):
    """Where the bytes of versions are read from. A `House` is one."""

    @property
    def index(self) -> Index: ...

    @property
    def reader(self) -> Reader: ...

    @property
    def pool(self) -> ThreadPoolExecutor: ...


class Desk(Shelf, Protocol):
    """A shelf, and the few things that are done with a yard while objects are worked on."""

    @property
    def author(self) -> str:
        """Who works here."""

    def contents(self, model: str, revision: str | int | None) -> Contents:
        """The files of a version. NotFound: `no-model`, `no-version`, `version-deleted`."""

    def branches_at(self, found: Contents) -> Sequence[str]:
        """Branches that end at a version now."""

    def branch_for(self, found: Contents, wanted: str | None) -> str:
        """Where a version made from this one goes; see `branching.branch_of`."""

    def commit(self, request: Request, report: Callable[[Progress], None]) -> Committed:
        """Files of this machine become the next version."""

    def keep_report(
        self,
        model: str,
        number: int,
        kind: str,
        content: Mapping[str, Any],
        *,
        data: DataName,
        suite: str = "",
        outcomes: Mapping[str, np.ndarray] | None = None,
    ) -> Report:
        """Keep what was found out about a version."""

    def keep_profile(
        self, info: ProfileInfo, body: bytes, readable: Callable[[bytes], bool] = bool
    ) -> ProfileInfo:
        """Keep what a version's traffic is compared with; gives the one that holds now.

        Args:
            body: As `monitoring.profiles` packs it.
            readable: Whether one that is there already can be read: else it holds nothing up.
        """
