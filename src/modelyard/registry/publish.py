"""The last transaction of everything that makes a version: all of it, or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import blobs, chunks, edges, labels, models, refs, versions
from modelyard.catalog.queries.search_documents import index_model, index_version
from modelyard.core.manifest import MANIFEST_PATH, Manifest
from modelyard.core.merge import is_hidden
from modelyard.core.sources import sources_of
from modelyard.core.version import Committed
from modelyard.errors import Conflict, Corrupt
from modelyard.history.bundles import encode_bundle
from modelyard.history.commits import clean_author, clean_message, write_commit
from modelyard.history.trees import write_tree
from modelyard.registry.access.guards import check_in
from modelyard.registry.blobs import NewBlob
from modelyard.registry.card import CARD_PATH, Card, read_card
from modelyard.registry.journal import ContentGone, Journal
from modelyard.registry.telling import tell_untold
from modelyard.registry.transfer.schedule import dump_if_due

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow, PlaceRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.core.digest import ChunkId, Digest
    from modelyard.core.merge import Tree
    from modelyard.core.names import ModelName, RefName
    from modelyard.history.gitobject import GitObject
    from modelyard.registry.house import House
    from modelyard.store.ingest import Ingest

__all__ = ["BranchMoved", "ContentGone", "Draft", "manifest_of", "publish", "still_holds"]


class BranchMoved(Exception):
    """The branch is not where the draft was made from, and the draft depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version that is to be."""

    model: ModelName
    branch: RefName
    tree: Tree
    """With the manifest in it."""
    manifest: Manifest
    message: str
    author: str
    kind: str = "model"
    base: int | None
    """Number of the version that it was made from."""
    start: int | None = None
    """Where a new branch begins; the draft's base if not given."""
    fixed: bool
    """Whether it only makes sense on top of its base."""
    merged: tuple[int, ...] = ()
    """Further parents."""
    blobs: Mapping[Digest, BlobRow | NewBlob] = field(default_factory=dict)
    """The content of every file that git does not hold itself."""
    places: Sequence[tuple[PlaceRow, Digest]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    card: Card | None = None
    formats: tuple[str, ...] = ()
    framework: str | None = None

    @property
    def visible(self) -> dict[str, int]:
        """Sizes of the files that people see."""
        return {path: e.size for path, e in self.tree.items() if not is_hidden(path)}


def publish(house: House, ingest: Ingest, draft: Draft) -> Committed:
    """Write the version, move the branch; raises `BranchMoved` or `ContentGone` to be redone."""
    session = ingest.session
    root, objects = write_tree(draft.tree)
    session.prepare()

    def work(connection: sa.Connection) -> tuple[Committed, ModelRow, list[GitObject]]:
        return _Publication(house, connection, ingest, draft).run(root, objects)

    committed, model, fresh = house.catalog.write(work)
    session.registered()
    house.objects.put(model.id, fresh)
    dump_if_due(house)
    return committed


class _Publication:
    """One attempt at the transaction."""

    def __init__(
        self, house: House, connection: sa.Connection, ingest: Ingest, draft: Draft
    ) -> None:
        self.connection = connection
        self.ingest = ingest
        self.draft = draft
        self.caller = house.caller
        self.journal = Journal(house, connection, ingest)

    def run(
        self, root: bytes, objects: Sequence[GitObject]
    ) -> tuple[Committed, ModelRow, list[GitObject]]:
        draft, connection = self.draft, self.connection
        model = self._model()
        tip = refs.get(connection, model.id, draft.branch.text)
        is_first = model.next_number == 1  # nothing is there yet to be proposed
        check_in(
            connection, self.caller, model.name, draft.branch.text, "REV", alone=is_first
        )  # fmt: skip
        first = self._parent(model, tip)
        parents = [p for p in (first, *draft.merged) if p is not None]
        commit, known, bundle_base = self._commit_object(model, root, parents, objects)
        number = models.take_number(connection, model, self.journal.now)
        fresh = [o for o in objects if o.sha not in known] + [commit]
        new_bytes = self.ingest.session.new_bytes
        old = None if tip is None else tip.number
        told = self._told(number, old, new_bytes)
        bundle = self.journal.write(
            "commit",
            who=draft.author, model=model.id, name=model.name, detail=told,
            objects=encode_bundle(fresh), base=bundle_base,
        )  # fmt: skip
        self.journal.settle()
        self._check_reused()
        ids = chunks.ids_of(connection, {bundle, *self._new_chunks()})
        blob_ids = self._insert_blobs(ids)
        self._insert_version(model, number, commit, root, parents, new_bytes, blob_ids)
        bundle_id = ids[bundle]
        blobs.add_objects(connection, model.id, [o.sha for o in fresh], bundle_id)
        self._move(model, tip, number)
        sizes = draft.visible
        committed = Committed(
            model=model.name, number=number, commit=commit.sha.hex(), branch=draft.branch.text,
            size=sum(sizes.values()), new_bytes=new_bytes, files=len(sizes), seconds=0.0,
        )  # fmt: skip
        return committed, model, fresh

    def _model(self) -> ModelRow:
        name, now = self.draft.model.text, self.journal.now
        row = self._held(name)
        if row is not None:
            if self.draft.kind == "dataset" and row.kind != "dataset":
                raise Conflict(
                    "other-kind", f"{name} is a {row.kind}, not a dataset",
                    hint="give the dataset a name of its own, such as data/NAME",
                )  # fmt: skip
            return row
        if models.deleted_by_name(self.connection, name) and self.draft.base is not None:
            raise BranchMoved
        key = models.create(self.connection, name, self.draft.kind, now)
        index_model(self.connection, key, name, "")
        return self.journal.hold(key)

    def _held(self, name: str) -> ModelRow | None:
        """The living model of this name, locked; again if it was renamed or deleted meanwhile."""
        while True:
            found = models.by_name(self.connection, name)
            if found is None:
                return None
            row = self.journal.hold(found.id)
            if (row.name, row.deleted) == (found.name, 0):
                return row

    def _parent(self, model: ModelRow, tip: refs.RefRow | None) -> int | None:
        draft = self.draft
        if tip is None:
            return draft.start if draft.start is not None else draft.base
        if tip.kind != "branch":
            raise Conflict(
                "not-a-branch", f"{draft.branch} is a {tip.kind} of {model.name}",
                hint="commit to a branch; yard log shows them",
            )  # fmt: skip
        if tip.number != draft.base and draft.fixed:
            raise BranchMoved
        return tip.number

    def _commit_object(
        self, model: ModelRow, root: bytes, parents: Sequence[int], objects: Sequence[GitObject]
    ) -> tuple[GitObject, Mapping[bytes, int], ChunkId | None]:
        """The commit; which objects are there already; and the record of its first parent."""
        rows = [versions.by_number(self.connection, model.id, number) for number in parents]
        if any(row is None for row in rows):
            raise Corrupt("parent-lost", f"a parent version of {model.name} is not in the catalog")
        shas = [row.commit_id for row in rows if row is not None]
        time = self.journal.now
        while True:
            commit = write_commit(
                tree=root, parents=shas, author=self.draft.author, time=time,
                message=self.draft.message,
            )  # fmt: skip
            asked = [commit.sha, *shas[:1], *(each.sha for each in objects)]
            known = blobs.bundles(self.connection, model.id, asked)
            if commit.sha not in known:
                break
            time += 1_000_000  # the same content twice in a second: git would call it one commit
        below = [known[sha] for sha in shas[:1] if sha in known]
        bases = chunks.by_id(self.connection, below)
        return commit, known, bases[0][1] if bases else None  # type: ignore[return-value]

    def _told(self, number: int, old: int | None, new_bytes: int) -> dict[str, Any]:
        """What the journal says of this commit beside its git objects."""
        draft = self.draft
        new: list[tuple[Any, ...]] = [
            (b.sha256.raw, b.size, b.content, b.is_recipe, b.format, b.framework, b.inspection)
            for b in draft.blobs.values()
            if isinstance(b, NewBlob)
        ]
        kept = [b for b in draft.blobs.values() if not isinstance(b, NewBlob)]
        new += tell_untold(self.connection, kept)
        optional: dict[str, Any] = {
            "old": old, "blobs": new, "labels": dict(draft.labels),
            "formats": " ".join(draft.formats), "framework": draft.framework,
            "kind": draft.kind if number == 1 else None,
        }  # fmt: skip
        told = {"number": number, "branch": draft.branch.text, "new_bytes": new_bytes}
        return told | {key: value for key, value in optional.items() if value}

    def _check_reused(self) -> None:
        reused = self.ingest.session.reused
        if chunks.live_count(self.connection, reused) != len(reused):
            raise ContentGone
        kept = {b.id for b in self.draft.blobs.values() if not isinstance(b, NewBlob)}
        if len(blobs.by_id(self.connection, kept)) != len(kept):
            raise ContentGone

    def _new_chunks(self) -> Iterator[bytes]:
        for blob in self.draft.blobs.values():
            if isinstance(blob, NewBlob):
                yield blob.content
                if blob.inspection is not None:
                    yield blob.inspection

    def _insert_blobs(self, ids: Mapping[bytes, int]) -> dict[Digest, int]:
        """Rows of the draft's blobs; of two sessions with the same one, the first one's stays."""
        rows = [
            {
                "sha256": blob.sha256.raw, "size": blob.size, "format": blob.format,
                "content_id": ids[blob.content], "is_recipe": blob.is_recipe,
                "inspection_id": ids[blob.inspection] if blob.inspection else None,
            }
            for blob in self.draft.blobs.values()
            if isinstance(blob, NewBlob)
        ]  # fmt: skip
        made = blobs.insert_all(self.connection, rows)
        return {
            digest: made[blob.sha256.raw] if isinstance(blob, NewBlob) else blob.id
            for digest, blob in self.draft.blobs.items()
        }

    def _insert_version(
        self,
        model: ModelRow,
        number: int,
        commit: GitObject,
        root: bytes,
        parents: Sequence[int],
        new_bytes: int,
        blob_ids: Mapping[Digest, int],
    ) -> None:
        draft, connection, sizes = self.draft, self.connection, self.draft.visible
        author, message = clean_author(draft.author)[:200], clean_message(draft.message)
        key = versions.insert(
            connection,
            {
                "model_id": model.id, "number": number, "commit_id": commit.sha, "tree_id": root,
                "parents": " ".join(map(str, parents)), "branch": draft.branch.text,
                "author": author, "message": message, "created": self.journal.now,
                "size": sum(sizes.values()), "new_bytes": new_bytes, "files": len(sizes),
                "formats": " ".join(draft.formats)[:200], "framework": draft.framework or "",
                "deleted": 0, "purged": False,
            },
        )  # fmt: skip
        insert_details(connection, key, draft.tree, draft.manifest, blob_ids)
        labels.put(connection, model.id, number, draft.labels)
        index_version(
            connection, key,
            model_id=model.id, message=message, author=author, branch=draft.branch.text,
            framework=draft.framework or "", formats=draft.formats, paths=sizes,
            labels=draft.labels,
        )  # fmt: skip
        if draft.card is not None and draft.card.description != model.description:
            models.update(connection, model.id, description=draft.card.description)
            index_model(connection, model.id, model.name, draft.card.description)
        blobs.remember_places(
            connection,
            [(place, blob_ids[digest]) for place, digest in draft.places if digest in blob_ids],
        )

    def _move(self, model: ModelRow, tip: refs.RefRow | None, number: int) -> None:
        branch = self.draft.branch.text
        old = None if tip is None else tip.number
        if old is None:
            refs.create(self.connection, model.id, branch, "branch", number)
        elif not refs.compare_and_swap(self.connection, model.id, branch, old, number):
            raise BranchMoved


def insert_details(
    connection: sa.Connection,
    key: int,
    tree: Tree,
    manifest: Manifest,
    blob_ids: Mapping[Digest, int],
) -> None:
    """The rows that make a version's metrics, parameters, files and lineage findable."""
    versions.insert_metrics(connection, key, manifest.metrics)
    params = [
        (name, json.dumps(value, ensure_ascii=False, sort_keys=True), _number(value))
        for name, value in manifest.params.items()
    ]
    versions.insert_params(connection, key, params)
    files = {
        path: 0 if entry.inline is not None else blob_ids[entry.digest]
        for path, entry in tree.items()
        if path != MANIFEST_PATH
    }
    versions.insert_files(connection, key, files)
    edges.insert(connection, key, sources_of(manifest))


def manifest_of(tree: Tree) -> Manifest:
    """What was said at commit; empty if nothing was."""
    entry = tree.get(MANIFEST_PATH)
    return Manifest() if entry is None else Manifest.decode(entry.inline or b"")


def still_holds(manifest: Manifest, before: Tree, after: Tree) -> bool:
    """Whether the object that a manifest describes is in `after` as it was in `before`."""
    if not manifest.own_files:
        return False
    pairs = ((before.get(path), after.get(path)) for path in manifest.own_files)
    return all(a is not None and b is not None and a.digest == b.digest for a, b in pairs)


def card_of(tree: Tree) -> Card | None:
    """The model card in a tree, if there is one."""
    entry = tree.get(CARD_PATH)
    if entry is None or entry.inline is None:
        return None
    return read_card(entry.inline.decode("utf-8", "replace"))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
