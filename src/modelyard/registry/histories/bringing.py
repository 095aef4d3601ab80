"""Bringing a history into one model, step by step; what came in an earlier run is skipped."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.catalog.queries import labels, models, versions
from modelyard.core.imports import ImportedModel
from modelyard.core.names import MAIN
from modelyard.core.version import Progress
from modelyard.errors import InvalidInput, Unavailable
from modelyard.history.trees import read_tree
from modelyard.registry.histories.building import (
    Builder,
    Prepared,
    card_labels,
    description_of,
)
from modelyard.registry.histories.landing import Built, land
from modelyard.registry.histories.names import fit_labels, fit_ref
from modelyard.registry.histories.pointing import Pointed, point
from modelyard.registry.journal import ContentGone
from modelyard.registry.objects import ModelObjects
from modelyard.registry.transfer.schedule import dump_if_due
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.digest import Digest
    from modelyard.core.names import ModelName
    from modelyard.history.importing.steps import Source, Step
    from modelyard.registry.house import House

__all__ = ["ORIGIN", "bring"]

ORIGIN = "origin"
"""The label that tells where a version came from."""
_TRIES = 6
_TOGETHER = 64
"""Versions without large files that come in one transaction."""


def bring(
    house: House,
    source: Source,
    model: ModelName,
    *,
    origin: str,
    kind: str = "model",
    report: Callable[[Progress], None] = lambda _progress: None,
) -> ImportedModel:
    """Bring everything that is not there yet, then move the refs.

    Args:
        origin: Where it comes from, for people; it holds no secrets.
    """
    with tempfile.TemporaryDirectory(prefix="yard-import-") as room:
        work = _Bringing(house, source, model, origin, kind, report, Path(room))
        work.run()
        if not work.known:
            raise InvalidInput("nothing-to-import", f"{origin} has nothing for {model}")
        pointed = work.point()
    dump_if_due(house)
    return ImportedModel(
        model=model.text, versions=tuple(work.came), known=len(work.known) - len(work.came_from),
        refs=tuple(pointed.moved), renamed=pointed.renamed | work.renamed, kept_ids=work.kept_ids,
        new_bytes=work.new_bytes, left_out=source.omissions.all(),
        conflicts=tuple(pointed.conflicts), warnings=tuple(work.builder.dangers),
    )  # fmt: skip


@dataclass
class _Bringing:
    house: House
    source: Source
    model: ModelName
    origin: str
    kind: str
    report: Callable[[Progress], None]
    room: Path
    known: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Number and commit of the version of each origin."""
    came: list[int] = field(default_factory=list)
    came_from: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    kept_ids: int = 0
    new_bytes: int = 0
    _key: int | None = None
    _waiting: list[Prepared] = field(default_factory=list)
    _files: dict[bytes, dict[str, Digest]] = field(default_factory=dict)
    """Large files of commits that others may build on."""
    _bytes: int = 0

    def __post_init__(self) -> None:
        self.builder = Builder(self.house, self.source, self.room)
        with self.house.catalog.read() as connection:
            row = models.by_name(connection, self.model.text)
            if row is None:
                return
            self._key = row.id
            marks = labels.of_models(connection, [row.id])
            commits = {v.number: v.commit_id for v in versions.all_of(connection, row.id)}
        for (_, number), found in sorted(marks.items()):
            if ORIGIN in found and number in commits:
                self.known[found[ORIGIN]] = (number, commits[number])

    def run(self) -> None:
        for step in self.source.steps():
            if step.origin in self.known:
                continue
            done = self.builder.prepare(step)
            if done.large or len(self._waiting) >= _TOGETHER:
                self._flush()
            self._waiting.append(done)
            if done.large:
                self._flush()
        self._flush()

    def point(self) -> Pointed:
        wanted = [ref for ref in self.source.refs() if ref.origin in self.known]
        if self._key is None or not wanted:
            return Pointed()
        numbers = {origin: number for origin, (number, _) in self.known.items()}
        return point(self.house, self.model.text, wanted, numbers)

    # -- a group of steps in one transaction -----------------------------------------------------

    def _flush(self) -> None:
        group, self._waiting = self._waiting, []
        if not group:
            return
        for _ in range(_TRIES):
            try:
                self._land(group)
                break
            except ContentGone:
                self.builder.forget_rows()
        else:
            raise Unavailable("busy-store", "gc runs in this yard all the time", hint="try again")
        for done in group:
            self._bytes += sum(entry.size for entry in done.tree.values())
            self.builder.landed(done)
        self.report(Progress("import", self._bytes, None))

    def _land(self, group: Sequence[Prepared]) -> None:
        session = self.house.session()
        try:
            ingest = Ingest(session, self.house.reader, self.house.pool)
            new: dict[str, bytes] = {}
            objects: dict[bytes, tuple[int, bytes]] = {}
            built = [self._built(done, ingest, new, objects) for done in group]
            landed = land(
                self.house, session, self.model, built, _Found(objects), kind=self.kind,
                source=self.origin,
            )  # fmt: skip
            self._key = landed.model.id
            self.new_bytes += session.new_bytes
        finally:
            session.close()
        for done, one in zip(group, built, strict=True):
            sha = one.commit.sha
            self.known[done.step.origin] = (landed.numbers[sha], sha)
            if sha in landed.fresh:
                self.came.append(landed.numbers[sha])
                self.came_from.add(done.step.origin)
                self.kept_ids += done.step.commit == one.commit.body

    def _built(
        self,
        done: Prepared,
        ingest: Ingest,
        new: dict[str, bytes],
        objects: dict[bytes, tuple[int, bytes]],
    ) -> Built:
        step = done.step
        parents = [self._commit_of(parent, new) for parent in step.parents]
        before = self._before(parents)
        commit, made, found = self.builder.build(done, ingest, parents, before)
        formats, framework = self.builder.looks(done, found)
        new[step.origin] = commit.sha
        for item in (*made, commit):
            objects[item.sha] = (item.kind, item.body)
        self._files[commit.sha] = _large_of(done)
        marks = {**card_labels(done), **fit_labels(dict(step.labels), self.renamed)}
        return Built(
            commit=commit, parents=tuple(parents), objects=made,
            branch=fit_ref(step.branch, "branch", ())[:200], created=step.time, blobs=found,
            labels=marks | {ORIGIN: step.origin}, formats=formats, framework=framework,
            number=step.number,
            description=description_of(done) if self._describes(step) else None,
        )  # fmt: skip

    def _describes(self, step: Step) -> bool:
        return step.branch in (MAIN, "master", "trunk")

    def _commit_of(self, origin: str, new: dict[str, bytes]) -> bytes:
        return new[origin] if origin in new else self.known[origin][1]

    def _before(self, parents: Sequence[bytes]) -> dict[str, Digest]:
        """Large files of the first parent, for deltas."""
        if not parents:
            return {}
        sha = parents[0]
        if sha not in self._files:
            self._files[sha] = self._read_before(sha)
        return self._files[sha]

    def _read_before(self, sha: bytes) -> dict[str, Digest]:
        from modelyard.history.commits import read_commit

        assert self._key is not None
        objects = ModelObjects(self.house, self._key)
        tree = read_tree(read_commit(objects.get(sha)[1]).tree, objects)
        return {path: e.digest for path, e in tree.items() if e.inline is None}


def _large_of(done: Prepared) -> dict[str, Digest]:
    return {path: entry.digest for path, entry in done.tree.items() if entry.inline is None}


class _Found:
    """Git objects that are in memory."""

    def __init__(self, objects: dict[bytes, tuple[int, bytes]]) -> None:
        self._objects = objects

    def get(self, sha: bytes) -> tuple[int, bytes]:
        return self._objects[sha]
