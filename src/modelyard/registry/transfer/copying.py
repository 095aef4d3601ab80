"""Copying a model, or all of them, from one yard into another."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import blobs, chunks, models, transfer, versions
from modelyard.catalog.queries.search_documents import index_model
from modelyard.core.transfer import Copied, CopiedModel, CopyConflict
from modelyard.errors import Conflict, Corrupt, InvalidInput, Unavailable
from modelyard.history.bundles import encode_bundle
from modelyard.registry.deletion import rename
from modelyard.registry.journal import ContentGone, Journal
from modelyard.registry.transfer.arrival import Arriving, put_model, put_versions
from modelyard.registry.transfer.following import Following, Wishes, find_wishes
from modelyard.registry.transfer.objects import SourceObjects
from modelyard.registry.transfer.plan import Plan, find_plan, groups, numbers_for, renames
from modelyard.registry.transfer.schedule import dump_if_due
from modelyard.registry.transfer.sending import Cargo, Sent, find_cargo, send
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.version import Progress
    from modelyard.history.gitobject import GitObject
    from modelyard.registry.house import House
    from modelyard.store.writer import Session

__all__ = ["copy", "mirror"]

_TRIES = 5
_BUNDLE = 2 << 20


def copy(
    source: House,
    target: House,
    model: str,
    revision: str | int | None,
    *,
    whole: bool,
    dry_run: bool,
    report: Callable[[Progress], None],
) -> Copied:
    """Bring one version and its ancestors, or a whole model, into another yard."""
    _refuse_same(source, target)
    started, sent = time.monotonic(), Sent(report=report)
    plan = find_plan(source, model, revision, whole=whole)
    done = _ModelCopy(source, target, plan, sent, plan.model.name).run(dry_run=dry_run)
    dump_if_due(target)
    return _told(source, target, [done], sent, started, dry_run=dry_run)


def mirror(
    source: House, target: House, *, dry_run: bool, report: Callable[[Progress], None]
) -> Copied:
    """Bring everything into another yard; what is there already costs a look into the catalogs."""
    _refuse_same(source, target)
    started, sent = time.monotonic(), Sent(report=report)
    renamed = {}
    for wish in renames(source, target):
        renamed[wish.new] = wish.old
        if not dry_run:
            rename(target, wish.old, wish.new)
    with source.catalog.read() as connection:
        names = [row.name for row in models.listed(connection, deleted=False)]
    done = []
    for name in names:
        plan = find_plan(source, name, None, whole=True)
        there = renamed[name] if dry_run and name in renamed else name
        work = _ModelCopy(source, target, plan, sent, there, renamed.get(name))
        done.append(work.run(dry_run=dry_run))
    dump_if_due(target)
    return _told(source, target, done, sent, started, dry_run=dry_run)


def _refuse_same(source: House, target: House) -> None:
    if source.root.resolve() == target.root.resolve():
        raise InvalidInput("same-yard", f"{source.root} is both the source and the target")


def _told(
    source: House,
    target: House,
    done: Sequence[CopiedModel],
    sent: Sent,
    started: float,
    *,
    dry_run: bool,
) -> Copied:
    return Copied(
        source=str(source.root), target=str(target.root),
        models=tuple(m for m in done if m.is_changed or m.conflicts),
        versions=sum(len(m.versions) for m in done), chunks=sent.chunks, bytes=sent.bytes,
        seconds=round(time.monotonic() - started, 3), dry_run=dry_run,
    )  # fmt: skip


@dataclass
class _There:
    """The model in the target, as of one moment."""

    row: ModelRow | None
    commits: Mapping[bytes, tuple[int, int]]

    def numbers(self, rows: Sequence[VersionRow]) -> dict[int, int]:
        """The target's numbers by the source's."""
        return {r.number: self.commits[r.commit_id][0] for r in rows if r.commit_id in self.commits}

    @property
    def taken(self) -> set[int]:
        return {number for number, _ in self.commits.values()}


@dataclass
class _ModelCopy:
    """One model on its way."""

    source: House
    target: House
    plan: Plan
    sent: Sent
    name: str
    """In the target."""
    renamed_from: str | None = None
    came: dict[int, int] = field(default_factory=dict)
    """The target's numbers of what came, by the source's."""

    def run(self, *, dry_run: bool) -> CopiedModel:
        with self.target.catalog.read() as connection:
            there = self._there(connection)
        if there.row is not None and there.row.kind != self.plan.model.kind:
            raise Conflict(
                "other-kind", f"{self.name} is a {there.row.kind} in {self.target.root}",
                hint="rename one of them first: yard rename",
            )  # fmt: skip
        fresh = [row for row in self.plan.versions if row.commit_id not in there.commits]
        if dry_run:
            return self._estimate(there, fresh)
        for group in groups(fresh):
            self._bring(group)
        return self._outcome(self._follow())

    def _there(self, connection: sa.Connection) -> _There:
        row = models.by_name(connection, self.name)
        if row is None:
            return _There(None, {})
        commits = transfer.commits_of(connection, row.id)
        if row.name != self.name and not any(v.commit_id in commits for v in self.plan.versions):
            return _There(None, {})  # an old name of another model
        return _There(row, commits)

    # -- what would be done ----------------------------------------------------------------------

    def _estimate(self, there: _There, fresh: Sequence[VersionRow]) -> CopiedModel:
        counted: set[bytes] = set()
        for group in groups(fresh):
            cargo = find_cargo(self.source, self.target, self._blobs(group)[0])
            for row in (*cargo.whole, *cargo.deltas):
                if row.hash not in counted:
                    counted.add(row.hash)
                    self.sent.count(row.length)
        known = there.numbers(self.plan.versions)
        ahead = there.row.next_number if there.row else 1
        self.came = numbers_for(fresh, there.taken, known, ahead)
        with self.target.catalog.read() as connection:
            wishes = find_wishes(
                connection, there.row.id if there.row else None, self.plan, known | self.came,
                frozenset(self.came),
            )  # fmt: skip
        return self._outcome(wishes)

    # -- doing it --------------------------------------------------------------------------------

    def _bring(self, group: Sequence[VersionRow]) -> None:
        """Send what some versions lack, then write their rows; again if gc was faster."""
        objects = SourceObjects(self.source, self.plan.model.id)
        objects.below(row.commit_id for row in group)
        for _ in range(_TRIES):
            session = self.target.session()
            try:
                rows, kept = self._blobs(group)
                cargo = find_cargo(self.source, self.target, rows)
                self.sent.expected = max(self.sent.expected, self.sent.bytes + cargo.bytes)
                send(self.source, self.target, session, cargo, self.sent)
                session.prepare()
                arrive = partial(self._arrive, session, cargo, kept, objects, group)
                self.came |= self.target.catalog.write(arrive)
                session.registered()
                return
            except ContentGone:
                continue
            finally:
                session.close()
        raise Unavailable("busy-store", f"gc runs in {self.target.root} all the time",
                          hint="try again")  # fmt: skip

    def _arrive(
        self,
        session: Session,
        cargo: Cargo,
        kept: set[bytes],
        objects: SourceObjects,
        group: Sequence[VersionRow],
        connection: sa.Connection,
    ) -> dict[int, int]:
        return _Arrival(self, connection, session, cargo, kept, objects).run(group)

    def _blobs(self, group: Sequence[VersionRow]) -> tuple[list[BlobRow], set[bytes]]:
        """The source's blobs that the target lacks, and digests of those that it has."""
        with self.source.catalog.read() as connection:
            ids: set[int] = set()
            for row in group:
                if not row.deleted:
                    ids |= set(versions.files_of(connection, row.id).values()) - {0}
            found = {row.sha256: row for row in blobs.by_id(connection, ids).values()}
        if len(found) < len(ids):
            raise Corrupt(
                "blob-lost", f"a file of {self.plan.model.name} is not in {self.source.root}",
                hint="yard verify tells the extent",
            )  # fmt: skip
        with self.target.catalog.read() as connection:
            kept = set(blobs.by_digest(connection, found))
        return [row for digest, row in found.items() if digest not in kept], kept

    def _follow(self) -> Wishes:
        """Refs, labels and reports, in one transaction if there is anything to do."""
        with self.target.catalog.read() as connection:
            wishes = self._wishes(connection, self._there(connection))
        if wishes.is_empty:
            return wishes
        session = self.target.session()
        try:
            session.prepare()

            def work(connection: sa.Connection) -> Wishes:
                there = self._there(connection)
                if there.row is None:
                    raise _gone(self.name)
                ingest = Ingest(session, self.target.reader, self.target.pool)
                journal = Journal(self.target, connection, ingest)
                row = journal.hold(there.row.id)
                wishes = self._wishes(connection, self._there(connection))
                numbers = there.numbers(self.plan.versions)
                following = Following(
                    self.source, self.target, journal, row, self.plan, numbers
                )  # fmt: skip
                following.write(wishes)
                journal.settle()
                following.finish()
                return wishes

            wishes = self.target.catalog.write(work)
            session.registered()
            return wishes
        finally:
            session.close()

    def _wishes(self, connection: sa.Connection, there: _There) -> Wishes:
        return find_wishes(
            connection, there.row.id if there.row else None, self.plan,
            there.numbers(self.plan.versions), frozenset(self.came),
        )  # fmt: skip

    def _outcome(self, wishes: Wishes) -> CopiedModel:
        with self.target.catalog.read() as connection:
            there = self._there(connection)
        gone = [
            CopyConflict(what="version", name=str(there.commits[row.commit_id][0]),
                         there="deleted", here="there")
            for row in self.plan.versions
            if not row.deleted and there.commits.get(row.commit_id, (0, 0))[1]
        ]  # fmt: skip
        return CopiedModel(
            model=there.row.name if there.row else self.name,
            versions=tuple(self.came.values()),
            renumbered={old: new for old, new in self.came.items() if old != new},
            renamed_from=self.renamed_from, refs=tuple(move[0] for move in wishes.moves),
            labels=sum(map(len, wishes.labels.values())), reports=len(wishes.reports),
            conflicts=(*wishes.conflicts, *gone),
        )  # fmt: skip


@dataclass
class _Arrival:
    """The transaction in which versions come to be."""

    work: _ModelCopy
    connection: sa.Connection
    session: Session
    cargo: Cargo
    kept: set[bytes]
    objects: SourceObjects

    def run(self, group: Sequence[VersionRow]) -> dict[int, int]:
        """Gives the target's numbers by the source's."""
        work, connection = self.work, self.connection
        target = work.target
        ingest = Ingest(self.session, target.reader, target.pool)
        journal = Journal(target, connection, ingest)
        row, is_new = self._model(journal)
        there = _There(row, transfer.commits_of(connection, row.id))
        left = [version for version in group if version.commit_id not in there.commits]
        numbers = numbers_for(left, there.taken, there.numbers(work.plan.versions), row.next_number)
        known = there.numbers(work.plan.versions) | numbers
        entries = []
        for number, (part, fresh) in enumerate(self._parts(row, left)):
            detail = self._detail(row, part, known, is_new=is_new and number == 0)
            if number == 0:
                detail["blobs"] = list(self.cargo.blobs)
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
        work, connection = self.work, self.connection
        found = work._there(connection).row
        if found is not None:
            return journal.hold(found.id), False
        key = models.create(connection, work.name, work.plan.model.kind, journal.now)
        index_model(connection, key, work.name, "")
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
        plan = self.work.plan
        arriving = [
            Arriving(
                known[v.number], v.commit_id, tuple(known[p] for p in v.parent_numbers), v.branch,
                v.created, v.new_bytes, v.formats, v.framework, v.deleted,
            ).told()
            for v in part
        ]  # fmt: skip
        marks = {known[v.number]: dict(plan.labels[v.number]) for v in part
                 if v.number in plan.labels}  # fmt: skip
        detail: dict[str, Any] = {"from": str(self.work.source.root), "versions": arriving}
        if marks:
            detail["labels"] = marks
        if is_new:
            detail |= {
                "kind": plan.model.kind, "created": plan.model.created,
                "names": list(plan.old_names),
            }  # fmt: skip
        if is_new and plan.is_whole:
            detail["next"] = plan.model.next_number
        if is_new or any(v.number == plan.model.next_number - 1 for v in part):
            detail["description"] = plan.model.description
        return detail

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


def _gone(name: str) -> Conflict:
    return Conflict("model-gone", f"{name} went while it was copied", hint="run it again")
