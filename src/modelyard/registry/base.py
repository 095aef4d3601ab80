"""What a commit builds on: the tip of its branch, or where a new branch is to begin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs, models, refs, versions
from modelyard.core.names import MAIN
from modelyard.errors import Conflict, NotFound
from modelyard.history.trees import read_tree
from modelyard.registry.lookup import find_version
from modelyard.registry.objects import ModelObjects

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.merge import Tree
    from modelyard.core.names import ModelName, RefName
    from modelyard.registry.house import House

__all__ = ["Base", "find_base"]


@dataclass(frozen=True, slots=True)
class Base:
    """The version a commit builds on, as it stood when the commit began."""

    version: VersionRow | None
    branch_exists: bool
    tree: Tree = field(default_factory=dict)
    blobs: Mapping[str, BlobRow] = field(default_factory=dict)


def find_base(house: House, model: ModelName, branch: RefName, parent: str | int | None) -> Base:
    """The branch's tip, or what a new branch is to begin with."""
    with house.catalog.read() as connection:
        row = models.by_name(connection, model.text)
        if row is None:
            if parent is not None:
                raise NotFound("no-model", f"no model named {model}", hint="leave out --parent")
            return Base(None, False)
        tip = refs.get(connection, row.id, branch.text)
        if tip is not None and tip.kind != "branch":
            raise Conflict("not-a-branch", f"{branch} is a {tip.kind} of {model}")
        version = _base_version(connection, row, tip, parent)
        if tip is not None and version is not None and version.number != tip.number:
            raise Conflict(
                "branch-moved", f"{branch} of {model} is at {tip.number}, not at {version.number}",
                hint=f"yard pull, or commit to another branch with --branch (yard log {model})",
            )  # fmt: skip
        if version is None:
            return Base(None, tip is not None)
        files = versions.files_of(connection, version.id)
        found = blobs.by_id(connection, set(files.values()) - {0})
        rows = {path: found[key] for path, key in files.items() if key in found}
    tree = read_tree(version.tree_id, ModelObjects(house, version.model_id))
    return Base(version, tip is not None, tree, rows)


def _base_version(
    connection: sa.Connection,
    row: models.ModelRow,
    tip: refs.RefRow | None,
    parent: str | int | None,
) -> VersionRow | None:
    if parent is not None:
        return find_version(connection, row, parent)
    if tip is None:
        tip = refs.get(connection, row.id, MAIN)
    return None if tip is None else versions.by_number(connection, row.id, tip.number)
