"""The desk of a yard on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import refs
from modelyard.registry import commit, files, reports
from modelyard.registry.access.door import known_name
from modelyard.registry.branching import branch_of
from modelyard.registry.watching import profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from modelyard.core.evaluation import Report
    from modelyard.core.monitoring import ProfileInfo
    from modelyard.core.version import Committed, Progress
    from modelyard.registry.data import DataName
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House
    from modelyard.store.interface import Index
    from modelyard.store.reader import Reader

__all__ = ["LocalDesk"]


class LocalDesk:
    """`Desk` over a house."""

    def __init__(self, house: House) -> None:
        self.house = house

    # asked each time: a house may get another catalog, and then another index
    @property
    def index(self) -> Index:
        return self.house.index

    @property
    def reader(self) -> Reader:
        return self.house.reader

    @property
    def pool(self) -> ThreadPoolExecutor:
        return self.house.pool

    @property
    def author(self) -> str:
        return self.house.author

    def contents(self, model: str, revision: str | int | None) -> Contents:
        return files.contents(self.house, model, revision)

    def branches_at(self, found: Contents) -> Sequence[str]:
        with self.house.catalog.read() as connection:
            return [
                ref.name
                for ref in refs.of_models(connection, [found.model.id])
                if ref.kind == "branch" and ref.number == found.version.number
            ]

    def branch_for(self, found: Contents, wanted: str | None) -> str:
        with self.house.catalog.read() as connection:
            name = branch_of(connection, found.model, found.version, wanted, option="--branch")
        return name.text

    def commit(self, request: commit.Request, report: Callable[[Progress], None]) -> Committed:
        return commit.commit(self.house, request, report)

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
        return reports.keep_report(
            self.house, model, number, kind, content, data=data, suite=suite, outcomes=outcomes
        )

    def keep_profile(
        self, info: ProfileInfo, body: bytes, readable: Callable[[bytes], bool] = bool
    ) -> ProfileInfo:
        name = known_name(self.house, self.house.caller, info.model, "writer")
        return profiles.keep(self.house, name, info.number, info, body, readable=readable)
