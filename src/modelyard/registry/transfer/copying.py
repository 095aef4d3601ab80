"""Copying a model, or all of them, from one yard into another."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs, models, versions
from modelyard.core.transfer import Copied, CopiedModel, CopyConflict
from modelyard.errors import Conflict, Corrupt, InvalidInput, Unavailable
from modelyard.registry.deletion import rename
from modelyard.registry.journal import ContentGone, Journal
from modelyard.registry.transfer.checking import check_blobs, check_plan, told_of
from modelyard.registry.transfer.following import Following, Wishes, find_wishes
from modelyard.registry.transfer.landing import Landing, There, find_there
from modelyard.registry.transfer.objects import SourceObjects
from modelyard.registry.transfer.plan import Plan, find_plan, groups, numbers_for, renames
from modelyard.registry.transfer.schedule import dump_if_due
from modelyard.registry.transfer.sending import Cargo, Sent, find_cargo, send
from modelyard.registry.transfer.strangers import check_possession, inspected
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.version import Progress
    from modelyard.registry.house import House
    from modelyard.store.writer import Session

__all__ = ["copy", "mirror"]

_TRIES = 5


def copy(
    source: House,
    target: House,
    model: str,
    revision: str | int | None,
    *,
    whole: bool,
    dry_run: bool,
    report: Callable[[Progress], None],
    is_strange: bool = False,
) -> Copied:
    """Bring one version and its ancestors, or a whole model, into another yard.

    Args:
        is_strange: Whether somebody made the source who may lie to get at the files of others.
    """
    _refuse_same(source, target)
    started, sent = time.monotonic(), Sent(report=report)
    with told_of(source):
        plan = find_plan(source, model, revision, whole=whole)
        done = _ModelCopy(source, target, plan, sent, plan.model.name, is_strange=is_strange).run(
            dry_run=dry_run
        )
    dump_if_due(target)
    return _told(source, target, [done], sent, started, dry_run=dry_run)


def mirror(
    source: House, target: House, *, dry_run: bool, report: Callable[[Progress], None]
) -> Copied:
    """Bring everything into another yard; what is there already costs a look into the catalogs."""
    _refuse_same(source, target)
    started, sent = time.monotonic(), Sent(report=report)
    renamed = {}
    with told_of(source):
        wishes = renames(source, target)
    for wish in wishes:
        renamed[wish.new] = wish.old
        if not dry_run:
            rename(target, wish.old, wish.new)
    with source.catalog.read() as connection:
        names = [row.name for row in models.listed(connection, deleted=False)]
    done = []
    for name in names:
        there = renamed[name] if dry_run and name in renamed else name
        with told_of(source):
            plan = find_plan(source, name, None, whole=True)
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
class _ModelCopy:
    """One model on its way."""

    source: House
    target: House
    plan: Plan
    sent: Sent
    name: str
    """In the target."""
    renamed_from: str | None = None
    is_strange: bool = False
    came: dict[int, int] = field(default_factory=dict)
    """The target's numbers of what came, by the source's."""

    def run(self, *, dry_run: bool) -> CopiedModel:
        check_plan(self.source, self.plan)
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

    def _there(self, connection: sa.Connection) -> There:
        return find_there(connection, self.name, self.plan)

    # -- what would be done ----------------------------------------------------------------------

    def _estimate(self, there: There, fresh: Sequence[VersionRow]) -> CopiedModel:
        for group in groups(fresh):
            cargo = find_cargo(self.source, self.target, self._blobs(group)[0])
            for row in (*cargo.whole, *cargo.deltas):
                if row.hash not in self.sent.counted:
                    self.sent.counted.add(row.hash)
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
                paths = self._seen(group, objects) if self.is_strange else {}
                if self.is_strange:
                    rows = [row._replace(inspection_id=None) for row in rows]
                cargo = find_cargo(self.source, self.target, rows)
                self.sent.expected = max(self.sent.expected, self.sent.bytes + cargo.bytes)
                send(self.source, self.target, session, cargo, self.sent)
                if self.is_strange:
                    cargo = inspected(self.source, self.target, session, cargo, paths)
                else:
                    check_blobs(self.source, self.target, session, rows)
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
        landing = Landing(
            self.source, self.target, self.plan, self.name, connection, session, cargo, kept,
            objects,
        )  # fmt: skip
        return landing.run(group)

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

    def _seen(self, group: Sequence[VersionRow], objects: SourceObjects) -> dict[bytes, str]:
        """A path of each file of a stranger's versions, once it is known that all are there."""
        with self.source.catalog.read() as connection:
            ids: set[int] = set()
            for row in group:
                ids |= set(versions.files_of(connection, row.id).values()) - {0}
            found = list(blobs.by_id(connection, ids).values())
        living = [row.commit_id for row in group if not row.deleted]
        return check_possession(self.source, self.target, found, living, objects)

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

    def _wishes(self, connection: sa.Connection, there: There) -> Wishes:
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


def _gone(name: str) -> Conflict:
    return Conflict("model-gone", f"{name} went while it was copied", hint="run it again")
