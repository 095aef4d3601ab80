"""The transaction in which commits that were made elsewhere become versions of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import blobs, chunks, models, transfer
from modelyard.catalog.queries.search_documents import index_model
from modelyard.errors import Conflict
from modelyard.history.bundles import encode_bundle
from modelyard.registry.blobs import NewBlob
from modelyard.registry.journal import ContentGone, Journal
from modelyard.registry.telling import tell_untold
from modelyard.registry.transfer.arrival import Arriving, put_model, put_versions
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.core.digest import ChunkId, Digest
    from modelyard.core.names import ModelName
    from modelyard.history.gitobject import GitObject, Objects
    from modelyard.registry.house import House
    from modelyard.store.writer import Session

__all__ = ["Built", "Landed", "Landing", "Written", "land"]

_RECORD = 2 << 20
"""Bytes of git objects that one record holds, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A version that is ready: its content is in the store, its git objects are made."""

    commit: GitObject
    parents: tuple[bytes, ...]
    """Commits of versions that are there, or come in the same transaction before this one."""
    objects: Sequence[GitObject]
    """What its tree is made of; those that the model has already are left out."""
    branch: str
    created: int
    """Microseconds since 1970."""
    blobs: Mapping[Digest, BlobRow | NewBlob] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    formats: tuple[str, ...] = ()
    framework: str = ""
    number: int | None = None
    """The number it should have, if it is free."""
    description: str | None = None
    """What the model's description is from now on."""
    arrived: int = 0
    """Bytes that its files took when they came, in sessions of their own."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of them."""

    model: ModelRow
    numbers: Mapping[bytes, int]
    """By commit; those too that were there before."""
    fresh: frozenset[bytes]
    """Commits that are new."""


def land(
    house: House,
    session: Session,
    name: ModelName,
    built: Sequence[Built],
    objects: Objects,
    *,
    kind: str = "model",
    source: str,
) -> Landed:
    """Write the versions, in one transaction; raises `ContentGone` if it is to be done again.

    Args:
        built: Parents first.
        objects: Gives every git object of these versions, also those that were not new.
        source: Where they came from, for people; it holds no secrets.
    """
    session.prepare()

    def work(connection: sa.Connection) -> Landed:
        return Landing(house, session, connection, name, objects, kind, source).run(built)

    landed = house.catalog.write(work)
    session.registered()
    fresh = [item for one in built if one.commit.sha in landed.fresh for item in one.objects]
    house.objects.put(landed.model.id, fresh)
    return landed


@dataclass(frozen=True, slots=True)
class Written:
    """An entry of the journal that tells of versions, before the catalog learns of them."""

    detail: Mapping[str, Any]
    """As `put_versions` takes it."""
    fresh: Sequence[GitObject]
    bundle: ChunkId


@dataclass
class Landing:
    """One attempt. A push is one too, which tells of its versions in its own way."""

    house: House
    session: Session
    connection: sa.Connection
    name: ModelName
    objects: Objects
    kind: str
    source: str
    counted: int = 0
    """Bytes of the session that were told of."""

    def run(self, built: Sequence[Built]) -> Landed:
        connection = self.connection
        journal = Journal(
            self.house, connection, Ingest(self.session, self.house.reader, self.house.pool)
        )
        row, is_new = self._model(journal)
        there = transfer.commits_of(connection, row.id)
        numbers = {commit: number for commit, (number, _) in there.items()}
        unique = {one.commit.sha: one for one in built}  # two steps that say the same are one
        coming = [one for sha, one in unique.items() if sha not in there]
        self._number(coming, numbers, row.next_number)
        written = self.write(journal, row, coming, numbers, is_new=is_new)
        self.finish(journal, row, numbers)
        if not journal.seq:
            return Landed(row, numbers, frozenset())
        journal.settle()
        self._check(coming)
        ids = chunks.ids_of(connection, {one.bundle for one in written})
        for one in written:
            shas = [item.sha for item in one.fresh]
            blobs.add_objects(connection, row.id, shas, ids[one.bundle])
            put_model(connection, row.id, row.name, one.detail)
            put_versions(connection, row.id, journal.now, one.detail, self.objects)
        return Landed(row, numbers, frozenset(one.commit.sha for one in coming))

    def write(
        self,
        journal: Journal,
        row: ModelRow,
        coming: Sequence[Built],
        numbers: Mapping[bytes, int],
        *,
        is_new: bool,
    ) -> list[Written]:
        """The entries of all versions: of as many in one as a record may hold."""
        written: list[Written] = []
        for part, fresh in self.parts(row, coming):
            detail = self._detail(part, numbers, is_new=is_new and not written)
            bundle = journal.write(
                "copy", who=self.house.author, model=row.id, name=row.name, detail=detail,
                objects=encode_bundle(fresh),
            )  # fmt: skip
            written.append(Written(detail, fresh, bundle))
        return written

    def finish(self, journal: Journal, row: ModelRow, numbers: Mapping[bytes, int]) -> None:
        """What else belongs into the same transaction."""

    def parts(
        self, row: ModelRow, coming: Sequence[Built]
    ) -> Iterator[tuple[list[Built], list[GitObject]]]:
        """Versions with the git objects that are new with them."""
        wanted = {item.sha for one in coming for item in (*one.objects, one.commit)}
        known = set(blobs.bundles(self.connection, row.id, wanted))
        part: list[Built] = []
        fresh: dict[bytes, GitObject] = {}
        size = 0
        for one in coming:
            if part and size > _RECORD:
                yield part, list(fresh.values())
                part, fresh, size = [], {}, 0
            part.append(one)
            for item in (*one.objects, one.commit):
                if item.sha not in known:
                    known.add(item.sha)
                    fresh[item.sha] = item
                    size += len(item.body)
        if part:
            yield part, list(fresh.values())

    def _model(self, journal: Journal) -> tuple[ModelRow, bool]:
        while True:
            found = models.by_name(self.connection, self.name.text)
            if found is None:
                break
            row = journal.hold(found.id)
            if (row.name, row.deleted) == (found.name, 0):
                if row.kind != self.kind:
                    raise Conflict(
                        "other-kind", f"{row.name} is a {row.kind}, not a {self.kind}",
                        hint="name another model",
                    )  # fmt: skip
                return row, False
        key = models.create(self.connection, self.name.text, self.kind, journal.now)
        index_model(self.connection, key, self.name.text, "")
        return journal.hold(key), True

    def _number(self, coming: Sequence[Built], numbers: dict[bytes, int], ahead: int) -> None:
        """A number for each: the wished one if it is free, and larger than those of its parents."""
        taken = set(numbers.values())
        for one in coming:
            lowest = max((numbers[parent] for parent in one.parents), default=0)
            number = one.number
            if number is None or number in taken or number <= lowest:
                number = max(ahead, lowest + 1)
            numbers[one.commit.sha] = number
            taken.add(number)
            ahead = max(ahead, number + 1)

    def _detail(
        self, coming: Sequence[Built], numbers: Mapping[bytes, int], *, is_new: bool
    ) -> dict[str, Any]:
        last = len(coming) - 1
        arriving = [
            Arriving(
                numbers[one.commit.sha], one.commit.sha,
                tuple(numbers[parent] for parent in one.parents), one.branch, one.created,
                self.fresh_bytes() if at == last else 0,
                " ".join(one.formats), one.framework, 0,
            ).told()
            for at, one in enumerate(coming)
        ]  # fmt: skip
        detail: dict[str, Any] = {"from": self.source, "versions": arriving}
        new = {b.sha256: b for one in coming for b in one.blobs.values() if isinstance(b, NewBlob)}
        told: list[tuple[Any, ...]] = [
            (b.sha256.raw, b.size, b.content, b.is_recipe, b.format, b.framework, b.inspection)
            for b in new.values()
        ]
        told += tell_untold(self.connection, self.kept(coming))
        if told:
            detail["blobs"] = told
        labels = {numbers[one.commit.sha]: dict(one.labels) for one in coming if one.labels}
        if labels:
            detail["labels"] = labels
        if is_new:
            detail["kind"] = self.kind
        described = [one.description for one in coming if one.description is not None]
        if described:
            detail["description"] = described[-1]
        return detail

    def fresh_bytes(self) -> int:
        """What the session has written since this was asked last."""
        before, self.counted = self.counted, self.session.new_bytes
        return self.counted - before

    def kept(self, coming: Sequence[Built]) -> list[BlobRow]:
        """Blobs of versions that were stored before."""
        found = {
            b.id: b for one in coming for b in one.blobs.values() if not isinstance(b, NewBlob)
        }
        return list(found.values())

    def _check(self, coming: Sequence[Built]) -> None:
        """Everything that the versions need is there and stays; gc may have been here."""
        reused = self.session.reused
        if chunks.live_count(self.connection, reused) != len(reused):
            raise ContentGone
        found = [b for one in coming for b in one.blobs.values()]
        kept = {b.id for b in found if not isinstance(b, NewBlob)}
        if len(blobs.by_id(self.connection, kept)) != len(kept):
            raise ContentGone
        names = {b.content for b in found if isinstance(b, NewBlob)}
        if len(chunks.ids_of(self.connection, names)) != len(names):
            raise ContentGone
