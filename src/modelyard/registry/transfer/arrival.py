"""Versions of another yard in the catalog: the same rows when they come, and when it is rebuilt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import blobs, chunks, labels, models, versions
from modelyard.catalog.queries.search_documents import index_labels, index_model, index_version
from modelyard.core.digest import Digest
from modelyard.core.merge import is_hidden
from modelyard.errors import InvalidInput
from modelyard.history.commits import read_commit
from modelyard.history.trees import read_tree
from modelyard.registry.publish import insert_details, manifest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.core.manifest import Manifest
    from modelyard.core.merge import Tree
    from modelyard.history.gitobject import Objects

__all__ = ["Arriving", "put_model", "put_versions"]


@dataclass(frozen=True, slots=True)
class Arriving:
    """A version as a journal's entry `copy` tells it (docs/spec/journal-1.md); a list in it."""

    number: int
    commit: bytes
    parents: tuple[int, ...]
    branch: str
    created: int
    new_bytes: int
    formats: str
    framework: str
    deleted: int
    """When it was deleted; its files did not come then."""

    def told(self) -> list[Any]:
        return [
            self.number, self.commit, list(self.parents), self.branch, self.created,
            self.new_bytes, self.formats, self.framework, self.deleted,
        ]  # fmt: skip

    @classmethod
    def of(cls, told: Sequence[Any]) -> Arriving:
        number, commit, parents, *rest = told
        return cls(number, commit, tuple(parents), *rest)


def put_model(connection: sa.Connection, key: int, name: str, detail: Mapping[str, Any]) -> None:
    """What a copy tells of the model itself: its description, and the names it had."""
    row = models.by_id(connection, key)
    if row is None:
        return
    if "description" in detail and detail["description"] != row.description:
        models.update(connection, key, description=detail["description"])
        index_model(connection, key, name, detail["description"])
    if "created" in detail:
        models.update(connection, key, created=detail["created"])
    for old in detail.get("names", ()):
        if models.by_name(connection, old) is None:
            models.redirect_to(connection, old, key)


def put_versions(
    connection: sa.Connection, key: int, time: int, detail: Mapping[str, Any], objects: Objects
) -> dict[bytes, int]:
    """Write the rows of all versions of an entry; their numbers by commit."""
    _put_blobs(connection, detail.get("blobs", ()))
    found: dict[bytes, int] = {}
    marks: Mapping[int, Mapping[str, str]] = detail.get("labels", {})
    for told in detail["versions"]:
        version = Arriving.of(told)
        found[version.commit] = version.number
        _put_version(connection, key, version, objects, marks.get(version.number, {}))
    row = models.by_id(connection, key)
    ahead = max([*(number + 1 for number in found.values()), detail.get("next", 1)])
    if row is not None:
        models.update(
            connection, key, next_number=max(row.next_number, ahead), updated=max(row.updated, time)
        )
    return found


def _put_version(
    connection: sa.Connection,
    model: int,
    version: Arriving,
    objects: Objects,
    marks: Mapping[str, str],
) -> None:
    commit = read_commit(objects.get(version.commit)[1])
    tree = read_tree(commit.tree, objects)
    author = commit.author[:200]
    sizes = {path: entry.size for path, entry in tree.items() if not is_hidden(path)}
    key = versions.insert(
        connection,
        {
            "model_id": model, "number": version.number, "commit_id": version.commit,
            "tree_id": commit.tree, "parents": " ".join(map(str, version.parents)),
            "branch": version.branch, "author": author, "message": commit.message,
            "created": version.created, "size": sum(sizes.values()),
            "new_bytes": version.new_bytes, "files": len(sizes),
            "formats": version.formats[:200], "framework": version.framework,
            "deleted": version.deleted, "purged": bool(version.deleted),
        },
    )  # fmt: skip
    if not version.deleted:
        _put_files(connection, key, tree)
    index_version(
        connection, key,
        model_id=model, message=commit.message, author=author, branch=version.branch,
        framework=version.framework, formats=version.formats.split(), paths=sizes,
    )  # fmt: skip
    if marks:
        labels.put(connection, model, version.number, marks)
        index_labels(connection, model, version.number, marks)


def _put_files(connection: sa.Connection, key: int, tree: Tree) -> None:
    wanted = {entry.digest.raw for entry in tree.values() if entry.inline is None}
    ids = {Digest(raw): row.id for raw, row in blobs.by_digest(connection, wanted).items()}
    present = {p: e for p, e in tree.items() if e.inline is not None or e.digest in ids}
    insert_details(connection, key, present, _manifest(tree), ids)


def _manifest(tree: Tree) -> Manifest:
    """A manifest that can't be read costs its params and metrics, not the version."""
    from modelyard.core.manifest import Manifest

    try:
        return manifest_of(tree)
    except InvalidInput:
        return Manifest()


def _put_blobs(connection: sa.Connection, told: Sequence[Sequence[Any]]) -> None:
    names = {row[2] for row in told} | {row[6] for row in told if row[6]}
    ids = chunks.ids_of(connection, names)
    rows = [
        {
            "sha256": sha256, "size": size, "format": kind, "content_id": ids[content],
            "is_recipe": is_recipe, "inspection_id": ids.get(inspection),
        }
        for sha256, size, content, is_recipe, kind, _framework, inspection in told
        if content in ids
    ]  # fmt: skip
    if rows:
        blobs.insert_all(connection, rows)
