"""Replaying the journal into an empty catalog, in the order things happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.queries import (
    audit,
    blobs,
    chunks,
    garbage,
    labels,
    models,
    refs,
    reports,
    versions,
)
from modelyard.catalog.queries.search_documents import index_labels, index_model, index_version
from modelyard.catalog.schema import git_object
from modelyard.catalog.schema import model as model_table
from modelyard.core.chunks import ChunkRow
from modelyard.core.digest import Digest
from modelyard.core.manifest import Manifest
from modelyard.core.merge import is_hidden
from modelyard.core.names import ModelName, RefName, parse_label
from modelyard.errors import Corrupt, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.history.bundles import decode_bundle
from modelyard.history.commits import read_commit
from modelyard.history.gitobject import COMMIT
from modelyard.history.trees import read_tree
from modelyard.registry.journal import Entry, acknowledged, audit_row, decode_entry
from modelyard.registry.objects import split_bundle
from modelyard.registry.publish import card_of, insert_details, manifest_of
from modelyard.registry.refs import apply_move
from modelyard.registry.reports import put_report
from modelyard.registry.transfer.arrival import put_model, put_versions
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.merge import Tree
    from modelyard.history.gitobject import GitObject
    from modelyard.store.reader import Reader

__all__ = ["Replay"]


_ODD = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


_TAKING = ("purge", "forget-model")
"""Not done if the entry that they came after is younger: its number was used again, so that the
transaction of these was undone. (Or the clock stepped back: then gc does it again.)"""


class _Objects:
    """All git objects of one model, in memory while it is rebuilt."""

    def __init__(self) -> None:
        self.found: dict[bytes, tuple[int, bytes]] = {}

    def get(self, sha: bytes) -> tuple[int, bytes]:
        if sha not in self.found:
            raise NotFound("git-object-missing", f"no git object {sha.hex()}")
        return self.found[sha]


def _readable_manifest(tree: Tree) -> Manifest:
    """A manifest that can't be read costs its params and metrics, not the yard."""
    try:
        return manifest_of(tree)
    except InvalidInput:
        return Manifest()


class Replay:
    """One rebuild."""

    def __init__(self, connection: sa.Connection, reader: Reader) -> None:
        self._connection = connection
        self._reader = reader
        self._objects: dict[int, _Objects] = {}
        self._numbers: dict[tuple[int, bytes], int] = {}
        self._commit_id = b""
        self.skipped = 0
        """Entries that could not be replayed, because something before them is lost."""
        self._steps: dict[str, Callable[[Entry], None]] = {
            "commit": self._commit,
            "copy": self._copy,
            "ref": self._ref,
            "label": self._label,
            "delete": self._delete,
            "purge": self._purge,
            "restore": self._restore,
            "delete-model": self._delete_model,
            "restore-model": self._restore_model,
            "forget-model": self._forget_model,
            "rename": self._rename,
            "report": self._report,
        }

    def run(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Take (chunk row, content) of every bundle record."""
        entries: dict[int, tuple[Entry, int, tuple[GitObject, ...]]] = {}
        for row, content in records:
            try:
                head, tail = split_bundle(content)
                entry = decode_entry(head)
                objects = decode_bundle(tail) if tail else ()
            except ModelyardError:
                continue
            there = entries.get(entry.seq)
            # the later of two with one number: the earlier was never acknowledged
            if there is None or there[0].time <= entry.time:
                entries[entry.seq] = (entry, row, objects)
        for seq in sorted(acknowledged(entry for entry, _, _ in entries.values())):
            entry, row, objects = entries[seq]
            before = entries.get(entry.after or 0)
            if entry.op in _TAKING and before is not None and before[0].time > entry.time:
                continue
            if not self._try(self._note, entry):
                continue
            self._keep_objects(entry.model, row, objects)
            self._commit_id = next((o.sha for o in objects if o.kind == COMMIT), b"")
            step = self._steps.get(entry.op)
            makes = entry.op in ("commit", "copy")
            if step is not None and (makes or self._has_model(entry.model)):
                self._try(step, entry)

    def _note(self, entry: Entry) -> None:
        if "blobs" in entry.detail:
            entry.detail["blobs"] = self._whole(entry.detail["blobs"])
        row_of = audit_row(entry.op, entry.time, entry.who, entry.model, entry.detail)
        audit.put(self._connection, entry.seq, row_of)

    def _try(self, step: Callable[[Entry], None], entry: Entry) -> bool:
        """What a lost record leaves incomplete is left out whole, and the rest goes on.

        So is what nobody of ours has written: who can write to a store may try anything.
        """
        try:
            with self._connection.begin_nested():
                step(entry)
        except (sa.exc.OperationalError, Unavailable):
            raise  # the database's or the store's fault: once more, and it may be there
        except (ModelyardError, sa.exc.StatementError, *_ODD):
            self.skipped += 1
            return False
        return True

    def _keep_objects(self, model: int, row: int, objects: Sequence[GitObject]) -> None:
        known = self._objects.setdefault(model, _Objects()).found
        fresh = {o.sha: (o.kind, o.body) for o in objects if o.sha not in known}
        known.update(fresh)
        if fresh:
            values = [{"model_id": model, "sha": sha, "bundle_id": row} for sha in fresh]
            self._connection.execute(sa.insert(git_object), values)

    def _has_model(self, key: int) -> bool:
        return models.by_id(self._connection, key) is not None

    # -- one method for each kind of entry -------------------------------------------------------

    def _commit(self, entry: Entry) -> None:
        detail, connection = entry.detail, self._connection
        objects = self._objects[entry.model]
        commit = read_commit(objects.get(self._commit_id)[1])
        if not self._has_model(entry.model):
            self._create_model(entry)
        number, branch = detail["number"], detail["branch"]
        tree = read_tree(commit.tree, objects)
        parents = [self._numbers[entry.model, sha] for sha in commit.parents]
        self._numbers[entry.model, self._commit_id] = number
        self._insert_blobs(detail.get("blobs", ()))
        sizes = {path: e.size for path, e in tree.items() if not is_hidden(path)}
        key = versions.insert(
            connection,
            {
                "model_id": entry.model, "number": number, "commit_id": self._commit_id,
                "tree_id": commit.tree, "parents": " ".join(map(str, parents)), "branch": branch,
                "author": commit.author[:200], "message": commit.message, "created": entry.time,
                "size": sum(sizes.values()), "new_bytes": detail["new_bytes"],
                "files": len(sizes), "formats": detail.get("formats", "")[:200],
                "framework": detail.get("framework", ""), "deleted": 0, "purged": False,
            },
        )  # fmt: skip
        self._details(entry, key, tree, commit.author[:200], commit.message, sizes)
        models.update(connection, entry.model, next_number=number + 1, updated=entry.time)
        ref = refs.get(connection, entry.model, branch)
        old = None if ref is None else ref.number
        apply_move(connection, entry.model, branch, "branch", old, number)

    def _copy(self, entry: Entry) -> None:
        if not self._has_model(entry.model):
            self._create_model(entry)
        put_model(self._connection, entry.model, entry.name, entry.detail)
        numbers = put_versions(
            self._connection, entry.model, entry.time, entry.detail, self._objects[entry.model]
        )
        for commit, number in numbers.items():
            self._numbers[entry.model, commit] = number

    def _create_model(self, entry: Entry) -> None:
        ModelName.parse(entry.name)
        if entry.detail.get("kind", "model") not in ("model", "dataset"):
            raise ValueError
        models.drop_redirect(self._connection, entry.name)
        namesake = models.by_name(self._connection, entry.name)
        if namesake is not None:  # made by a transaction that was undone
            models.update(self._connection, namesake.id, deleted=entry.time)
        values = {
            "id": entry.model, "name": entry.name, "kind": entry.detail.get("kind", "model"),
            "description": "", "next_number": 1, "created": entry.time, "updated": entry.time,
            "deleted": 0,
        }  # fmt: skip
        self._connection.execute(sa.insert(model_table), values)
        index_model(self._connection, entry.model, entry.name, "")

    def _details(
        self,
        entry: Entry,
        key: int,
        tree: Tree,
        author: str,
        message: str,
        sizes: dict[str, int],
    ) -> None:
        connection, detail = self._connection, entry.detail
        manifest = _readable_manifest(tree)
        wanted = {e.digest.raw for e in tree.values() if e.inline is None}
        ids = {Digest(raw): b.id for raw, b in blobs.by_digest(connection, wanted).items()}
        present = {path: e for path, e in tree.items() if e.inline is not None or e.digest in ids}
        insert_details(connection, key, present, manifest, ids)
        found = detail.get("labels", {})
        labels.put(connection, entry.model, detail["number"], found)
        index_version(
            connection, key,
            model_id=entry.model, message=message, author=author, branch=detail["branch"],
            framework=detail.get("framework", ""), formats=detail.get("formats", "").split(),
            paths=sizes, labels=found,
        )  # fmt: skip
        card = card_of(tree)
        if card is not None:
            models.update(connection, entry.model, description=card.description)
            index_model(connection, entry.model, entry.name, card.description)

    def _whole(self, told: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """The blobs of which all is in the store.

        Of one that gc took, its list of chunks may still lie there. Later it may have been stored
        again, cut in another way.
        """
        ids = chunks.ids_of(self._connection, [row[2] for row in told])
        rows = {row[0]: ChunkRow._make(row) for row in chunks.by_id(
            self._connection, {ids[r[2]] for r in told if r[3] and r[2] in ids})}  # fmt: skip
        return [row for row in told if row[2] in ids and self._is_whole(rows.get(ids[row[2]]))]

    def _is_whole(self, recipe: ChunkRow | None) -> bool:
        if recipe is None:
            return True  # a single chunk
        try:
            names = {name for name, _ in decode_recipe(self._reader.record(recipe))}
        except (Corrupt, NotFound):
            return False
        return len(chunks.ids_of(self._connection, names)) == len(names)

    def _insert_blobs(self, told: Sequence[Sequence[Any]]) -> None:
        names = {content for _, _, content, *_ in told} | {row[6] for row in told if row[6]}
        ids = chunks.ids_of(self._connection, names)
        known = blobs.by_digest(self._connection, [row[0] for row in told])
        for sha256, size, content, is_recipe, kind, _framework, inspection in told:
            if content in ids and sha256 not in known:
                blobs.insert(
                    self._connection,
                    sha256=sha256, size=size, format=kind, content_id=ids[content],
                    is_recipe=is_recipe, inspection_id=ids.get(inspection),
                )  # fmt: skip

    def _ref(self, entry: Entry) -> None:
        detail = entry.detail
        name, kind, old, new = (detail[key] for key in ("ref", "kind", "old", "new"))
        RefName.parse(name)
        apply_move(self._connection, entry.model, name, kind, old, new)

    def _label(self, entry: Entry) -> None:
        number = entry.detail["number"]
        for key, value in entry.detail["add"].items():
            parse_label(f"{key}={value}")
        labels.remove(self._connection, entry.model, number, entry.detail["remove"])
        labels.put(self._connection, entry.model, number, entry.detail["add"])
        index_labels(self._connection, entry.model, number, entry.detail["add"])

    def _update_version(self, entry: Entry, **values: object) -> None:
        row = versions.by_number(self._connection, entry.model, entry.detail["number"])
        if row is not None:
            versions.update(self._connection, row.id, **values)

    def _report(self, entry: Entry) -> None:
        row = versions.by_number(self._connection, entry.model, entry.detail["number"])
        if row is not None:
            put_report(self._connection, entry.seq, row.id, entry.time, entry.who, entry.detail)

    def _delete(self, entry: Entry) -> None:
        self._update_version(entry, deleted=entry.time)

    def _purge(self, entry: Entry) -> None:
        row = versions.by_number(self._connection, entry.model, entry.detail["number"])
        if row is not None:
            versions.drop_files(self._connection, row.id)
            reports.drop(self._connection, row.id)
            versions.update(
                self._connection, row.id, deleted=row.deleted or entry.time, purged=True
            )

    def _restore(self, entry: Entry) -> None:
        self._update_version(entry, deleted=0)

    def _delete_model(self, entry: Entry) -> None:
        models.update(self._connection, entry.model, deleted=entry.detail["time"])

    def _restore_model(self, entry: Entry) -> None:
        models.drop_redirect(self._connection, entry.name)
        models.update(self._connection, entry.model, deleted=0)

    def _forget_model(self, entry: Entry) -> None:
        garbage.drop_models(self._connection, [entry.model])
        self._objects.pop(entry.model, None)

    def _rename(self, entry: Entry) -> None:
        new = ModelName.parse(entry.detail["to"]).text
        models.drop_redirect(self._connection, new)
        models.update(self._connection, entry.model, name=new, updated=entry.time)
        models.redirect_to(self._connection, entry.name, entry.model)
        row = models.by_id(self._connection, entry.model)
        index_model(self._connection, entry.model, new, row.description if row else "")
