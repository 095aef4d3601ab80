"""The transaction in which versions of another yard come to be in this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import blobs, chunks, models, transfer
from modelyard.catalog.queries.search_documents import index_model
from modelyard.core.access import NOBODY
from modelyard.history.bundles import encode_bundle
from modelyard.registry.journal import ContentGone, Journal
from modelyard.registry.telling import tell_untold
from modelyard.registry.transfer.arrival import Arriving, put_model, put_versions
from modelyard.registry.transfer.plan import Plan, numbers_for
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.history.gitobject import GitObject
    from modelyard.registry.house import House
    from modelyard.registry.transfer.objects import SourceObjects
    from modelyard.registry.transfer.sending import Cargo
    from modelyard.store.writer import Session

__all__ = ["Landing", "There", "find_there"]

_BUNDLE = 2 << 20
"""Bytes of git objects that one record holds, about."""


@dataclass
class There:
    """The model in the target, as of one moment."""

    row: ModelRow | None
    commits: Mapping[bytes, tuple[int, int]]

    def numbers(self, rows: Sequence[VersionRow]) -> dict[int, int]:
        """The target's numbers by the source's."""
        return {r.number: self.commits[r.commit_id][0] for r in rows if r.commit_id in self.commits}

    @property
    def taken(self) -> set[int]:
        return {number for number, _ in self.commits.values()}


def find_there(connection: sa.Connection, name: str, plan: Plan) -> There:
    """The target's model of this name; one that only had the name once is another, unless it has
    versions in common.
    """
    row = models.by_name(connection, name)
    if row is None:
        return There(None, {})
    commits = transfer.commits_of(connection, row.id)
    if row.name != name and not any(v.commit_id in commits for v in plan.versions):
        return There(None, {})
    return There(row, commits)


@dataclass
class Landing:
    """The transaction in which versions come to be."""

    source: House
    target: House
    plan: Plan
    name: str
    """Of the model, in the target."""
    connection: sa.Connection
    session: Session
    cargo: Cargo
    kept: set[bytes]
    objects: SourceObjects

    def run(self, group: Sequence[VersionRow]) -> dict[int, int]:
        """Gives the target's numbers by the source's."""
        plan, target, connection = self.plan, self.target, self.connection
        ingest = Ingest(self.session, target.reader, target.pool)
        journal = Journal(target, connection, ingest)
        row, is_new = self._model(journal)
        there = There(row, transfer.commits_of(connection, row.id))
        left = [version for version in group if version.commit_id not in there.commits]
        numbers = numbers_for(left, there.taken, there.numbers(plan.versions), row.next_number)
        known = there.numbers(plan.versions) | numbers
        entries = []
        for number, (part, fresh) in enumerate(self._parts(row, left)):
            detail = self._detail(row, part, known, is_new=is_new and number == 0)
            if number == 0:
                rows = blobs.by_digest(connection, self.kept).values()
                detail["blobs"] = [*self.cargo.blobs, *tell_untold(connection, rows)]
            bundle = journal.write(
                "copy", who=target.author, model=row.id, name=row.name, detail=detail,
                objects=encode_bundle(fresh),
            )  # fmt: skip
            entries.append((detail, fresh, bundle))
        journal.settle()
        self._check()
        ids = chunks.ids_of(connection, {bundle for _, _, bundle in entries})
        for detail, fresh, bundle in entries:
            blobs.add_objects(connection, row.id, [item.sha for item in fresh], ids[bundle])
            put_model(connection, row.id, row.name, detail)
            put_versions(connection, row.id, journal.now, detail, self.objects)
        return numbers

    def _model(self, journal: Journal) -> tuple[ModelRow, bool]:
        connection = self.connection
        found = find_there(connection, self.name, self.plan).row
        if found is not None:
            return journal.hold(found.id), False
        key = models.create(connection, self.name, self.plan.model.kind, journal.now)
        index_model(connection, key, self.name, "")
        return journal.hold(key), True

    def _parts(
        self, row: ModelRow, left: Sequence[VersionRow]
    ) -> Iterator[tuple[list[VersionRow], list[GitObject]]]:
        """Versions with the git objects that are new with them, as much as a record may hold."""
        every = self.objects.every(version.commit_id for version in left)
        known = set(blobs.bundles(self.connection, row.id, every))
        part: list[VersionRow] = []
        fresh: list[GitObject] = []
        size = 0
        for version in left:
            if part and size > _BUNDLE:
                yield part, fresh
                part, fresh, size = [], [], 0
            part.append(version)
            found = self.objects.fresh(version.commit_id, known)
            fresh += found
            size += sum(len(item.body) for item in found)
        if part:
            yield part, fresh

    def _detail(
        self, row: ModelRow, part: Sequence[VersionRow], known: Mapping[int, int], *, is_new: bool
    ) -> dict[str, Any]:
        plan = self.plan
        arriving = [
            Arriving(
                known[v.number], v.commit_id, tuple(known[p] for p in v.parent_numbers), v.branch,
                v.created, v.new_bytes, v.formats, v.framework, v.deleted,
            ).told()
            for v in part
        ]  # fmt: skip
        marks = {known[v.number]: dict(plan.labels[v.number]) for v in part
                 if v.number in plan.labels}  # fmt: skip
        detail: dict[str, Any] = {"from": self.source.told_as, "versions": arriving}
        if marks:
            detail["labels"] = marks
        if is_new:
            detail |= {
                "kind": plan.model.kind, "created": plan.model.created,
                "names": [name for name in plan.old_names if self._may_lead(name)],
            }  # fmt: skip
        if is_new and plan.is_whole:
            detail["next"] = plan.model.next_number
        if is_new or any(v.number == plan.model.next_number - 1 for v in part):
            detail["description"] = plan.model.description
        return detail

    def _may_lead(self, name: str) -> bool:
        """Whether whoever copies might have made a model of this name: else it leads nowhere."""
        caller = self.target.caller
        return caller is NOBODY or caller.may(name, "writer")

    def _check(self) -> None:
        """Everything that the versions need is there and stays; gc may have been here."""
        rows = chunks.by_hash(self.connection, self.cargo.names)
        bases = {row[8] for row in rows if row[8] is not None}
        if len(rows) < len(self.cargo.names):
            raise ContentGone
        if chunks.live_count(self.connection, bases) < len(bases):
            raise ContentGone
        if len(blobs.by_digest(self.connection, self.kept)) < len(self.kept):
            raise ContentGone
