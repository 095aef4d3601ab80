"""Revert and merge: versions made from versions, without reading a weight."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelyard.catalog.queries import refs, versions
from modelyard.core.lineage import is_ancestor, merge_bases
from modelyard.core.manifest import MANIFEST_PATH, Manifest
from modelyard.core.merge import change_tree, is_hidden, merge_trees
from modelyard.core.names import MAIN, ModelName, RefName
from modelyard.core.version import Committed
from modelyard.errors import Conflict, NotFound
from modelyard.registry.commit import manifest_entry
from modelyard.registry.files import contents_of
from modelyard.registry.lookup import find_model, find_version
from modelyard.registry.publish import (
    BranchMoved,
    ContentGone,
    Draft,
    card_of,
    manifest_of,
    publish,
    still_holds,
)
from modelyard.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.diff import FileChange
    from modelyard.core.digest import Digest
    from modelyard.core.merge import MergeConflict, Merged, Tree
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House

__all__ = ["MergePlan", "merge", "plan_merge", "revert"]


def revert(house: House, model: str, revision: str | int | None, branch: str | None) -> Committed:
    """A new version on the branch whose content is that of an old one."""
    started = time.monotonic()
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        old = find_version(connection, row, revision)
        name = RefName.parse(MAIN if branch is None else branch)
        tip = _tip(connection, row, name)
    found = contents_of(house, row, old)
    if tip.tree_id == old.tree_id:
        return _already(row, name, tip)
    card = card_of(found.tree)
    draft = Draft(
        model=ModelName(row.name), branch=name, tree=found.all_files,
        manifest=manifest_of(found.all_files), message=f"Revert to version {old.number}",
        author=house.author, base=tip.number, fixed=False, blobs=_blobs(found.tree, [found]),
        card=card, labels=card.labels if card else {}, formats=tuple(old.formats.split()),
        framework=old.framework,
    )  # fmt: skip
    return _publish(house, draft, started)


def merge(house: House, model: str, source: str | int | None, into: str, message: str) -> Committed:
    """Three-way merge of files; what both sides changed is a conflict that names the files."""
    started = time.monotonic()
    sides = _sides(house, model, source, into)
    row, name, ours, theirs = sides.model, sides.into, sides.ours, sides.theirs
    if sides.is_done:
        return _already(row, name, ours)
    found, merged = _merged(house, sides)
    if merged.conflicts:
        shown = ", ".join(f"{c.path} ({c.kind})" for c in merged.conflicts)
        raise Conflict(
            "merge-conflict", f"both sides changed {shown}",
            hint=f"check {into} out, put in what you want, and commit it",
        )  # fmt: skip
    manifest = _manifest(found[0].all_files, found[1].all_files, merged.tree)
    tree = {path: entry for path, entry in merged.tree.items() if path != MANIFEST_PATH}
    tree |= manifest_entry(manifest)
    card = card_of(tree)
    formats = sorted({*ours.formats.split(), *theirs.formats.split()})
    draft = Draft(
        model=ModelName(row.name), branch=name, tree=tree, manifest=manifest,
        message=message or f"Merge {source} into {into}",
        author=house.author, base=ours.number, fixed=True, merged=(theirs.number,),
        blobs=_blobs(tree, found), card=card, labels=card.labels if card else {},
        formats=tuple(formats), framework=manifest.framework or ours.framework or theirs.framework,
    )  # fmt: skip
    return _publish(house, draft, started)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """What a merge would do."""

    source: int
    """The version that is merged."""
    into: str
    """The branch that gets it."""
    tip: int
    """Where the branch is."""
    is_done: bool
    """Whether the branch has all of it already."""
    changes: tuple[FileChange, ...] = ()
    """What the branch's files become; where there are conflicts, what goes without them."""
    conflicts: tuple[MergeConflict, ...] = ()
    """What both sides changed: such a merge is refused."""


def plan_merge(house: House, model: str, source: str | int | None, into: str) -> MergePlan:
    """Look what `merge` would do; nothing is changed."""
    sides = _sides(house, model, source, into)
    told = MergePlan(
        source=sides.theirs.number, into=sides.into.text, tip=sides.ours.number,
        is_done=sides.is_done,
    )  # fmt: skip
    if told.is_done:
        return told
    found, merged = _merged(house, sides)
    changes = change_tree(found[0].all_files, merged.tree)
    return replace(told, changes=changes, conflicts=merged.conflicts)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two versions of a merge, and what they have in common."""

    model: ModelRow
    into: RefName
    ours: VersionRow
    theirs: VersionRow
    is_done: bool
    """Whether ours has theirs already."""
    base: VersionRow | None = None
    """The newest common ancestor."""


def _sides(house: House, model: str, source: str | int | None, into: str) -> _Sides:
    name = RefName.parse(into)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        theirs = find_version(connection, row, source)
        ours = _tip(connection, row, name)
        rows = {v.number: v for v in versions.all_of(connection, row.id)}
    parents = {number: version.parent_numbers for number, version in rows.items()}
    if is_ancestor(theirs.number, ours.number, parents.__getitem__):
        return _Sides(row, name, ours, theirs, True)
    bases = merge_bases(ours.number, theirs.number, parents.__getitem__)
    return _Sides(row, name, ours, theirs, False, rows[bases[0]] if bases else None)


def _merged(house: House, sides: _Sides) -> tuple[list[Contents], Merged]:
    """The files of ours and theirs, and both together."""
    found = [contents_of(house, sides.model, version) for version in (sides.ours, sides.theirs)]
    base = contents_of(house, sides.model, sides.base).all_files if sides.base else None
    return found, merge_trees(base, found[0].all_files, found[1].all_files)


def _manifest(ours: Tree, theirs: Tree, merged: Tree) -> Manifest:
    """What is still true of the merged files.

    An object is described by the side that it comes from. Where it comes from neither as it was,
    nobody knows its parameters and metrics.
    """
    mine, other = manifest_of(ours), manifest_of(theirs)
    if still_holds(mine, ours, merged):
        return mine
    if still_holds(other, theirs, merged):
        return other
    if mine.saved is None and other.saved is None:
        return manifest_of(merged)
    return Manifest(data=mine.data, lineage=mine.lineage)


def _tip(connection: sa.Connection, model: ModelRow, branch: RefName) -> VersionRow:
    ref = refs.get(connection, model.id, branch.text)
    if ref is None or ref.kind != "branch":
        raise NotFound(
            "no-branch", f"{model.name} has no branch {branch}",
            hint=f"yard branch {model.name} {branch} makes it",
        )  # fmt: skip
    return find_version(connection, model, ref.number)


def _blobs(tree: Tree, sources: list[Contents]) -> Mapping[Digest, BlobRow]:
    """The stored blobs of a tree whose files all come from these versions."""
    wanted = {e.digest for path, e in tree.items() if e.inline is None and not is_hidden(path)}
    return {
        entry.digest: source.blob(entry)
        for source in sources
        for entry in source.tree.values()
        if entry.inline is None and entry.digest in wanted
    }


def _already(model: ModelRow, branch: RefName, row: VersionRow) -> Committed:
    return Committed(
        model=model.name, number=row.number, commit=row.commit_id.hex(), branch=branch.text,
        size=row.size, new_bytes=0, files=row.files, seconds=0.0, created=False,
    )  # fmt: skip


def _publish(house: House, draft: Draft, started: float) -> Committed:
    session = house.session()
    try:
        done = publish(house, Ingest(session, house.reader, house.pool), draft)
    except (BranchMoved, ContentGone):
        raise Conflict(
            "branch-moved", f"{draft.branch} of {draft.model} moved meanwhile", hint="try again"
        ) from None
    finally:
        session.close()
    return replace(done, seconds=round(time.monotonic() - started, 3))
