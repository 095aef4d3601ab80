"""A version's files as its server tells of them, looked at before they are believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from modelyard.catalog.queries.blobs import BlobRow
from modelyard.catalog.queries.models import ModelRow
from modelyard.catalog.queries.versions import VersionRow
from modelyard.client.failures import strange
from modelyard.core.digest import Digest
from modelyard.core.merge import Entry, is_hidden
from modelyard.core.names import ModelName
from modelyard.core.transferring import Layout, decode_packed
from modelyard.errors import InvalidInput
from modelyard.history.paths import check_tree
from modelyard.registry.files import Contents
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.client.connection import Connection
    from modelyard.client.shelf import Placed, RemoteIndex

__all__ = ["RemoteContents", "contents", "layout"]

_LARGEST_FILE = 1 << 50


class _File(msgspec.Struct):
    path: str
    mode: int
    sha256: str
    size: int
    inline: bytes | None = None


class _Contents(msgspec.Struct):
    model: str
    number: int
    commit: str
    size: int
    branches: list[str]
    files: list[_File]


class RemoteContents(Contents):
    """A version's files, and the branches that ended at it when it was asked for."""

    def __init__(
        self,
        model: ModelRow,
        version: VersionRow,
        tree: Mapping[str, Entry],
        rows: Mapping[bytes, BlobRow],
        branches: tuple[str, ...],
    ) -> None:
        super().__init__(model, version, tree, rows)
        self.branches = branches


def layout(connection: Connection, model: str, number: int) -> Layout:
    """Where the bytes of a version lie. Unavailable: `strange-answer`."""
    reply = connection.request("GET", ("models", model, "versions", number, "layout"))
    try:
        return decode_packed(reply.content, Layout)
    except InvalidInput:
        raise strange(connection.address, "a layout can't be read") from None


def contents(
    connection: Connection, index: RemoteIndex, model: str, revision: str
) -> RemoteContents:
    """A version's files; where their bytes are is asked for if any is in the store."""
    path = ("models", model, "versions", revision, "contents")
    told = connection.get(path, _Contents)
    try:
        ModelName.parse(told.model)
        commit = bytes.fromhex(told.commit)
        tree = {file.path: _entry(file) for file in told.files}
        check_tree({p: e for p, e in tree.items() if not is_hidden(p)})
        if not 0 < told.number < 1 << 53 or len(tree) != len(told.files):
            raise ValueError
    except (ValueError, InvalidInput) as error:
        reason = f": {error.message}" if isinstance(error, InvalidInput) else ""
        raise strange(connection.address, f"the files of {model} make no sense{reason}") from None
    rows: dict[bytes, BlobRow] = {}
    if any(entry.inline is None for entry in tree.values()):
        placed = index.known(told.model, told.commit)
        if placed is None:
            found = layout(connection, told.model, told.number)
            placed = index.add(told.model, told.number, told.commit, found)
        rows = _blobs(connection, placed, tree)
    size = sum(entry.size for path, entry in tree.items() if not is_hidden(path))
    version = VersionRow(
        0, 0, told.number, commit, b"", "", "", "", "", 0, size, 0, len(tree), "", "", 0, False
    )
    row = ModelRow(0, told.model, "model", "", 0, 0, 0, 0)
    return RemoteContents(row, version, tree, rows, tuple(told.branches))


def _entry(file: _File) -> Entry:
    digest = Digest.parse(file.sha256)
    if file.inline is not None and (
        Digest.of(file.inline) != digest or len(file.inline) != file.size
    ):
        raise InvalidInput("bad-digest", f"{file.path[:80]!r} is not what it should be")
    if not 0 <= file.size < _LARGEST_FILE:
        raise InvalidInput("bad-size", f"{file.path[:80]!r} has {file.size} bytes")
    return Entry(file.mode, digest, file.size, file.inline)


def _blobs(
    connection: Connection, placed: Placed, tree: Mapping[str, Entry]
) -> dict[bytes, BlobRow]:
    """Rows of the blobs that the tree needs: what is missing is told when it is opened."""
    found: dict[bytes, BlobRow] = {}
    for path, entry in tree.items():
        there = placed.contents.get(entry.digest.raw)
        if entry.inline is not None or there is None:
            continue
        content, is_recipe, inspection, format = there
        if is_recipe:
            size = sum(size for _, size in decode_recipe(placed.records[content]))
        else:
            size = placed.rows[content - placed.first].size
        if size != entry.size:
            raise strange(connection.address, f"{path} has not the size that it is said to have")
        raw = entry.digest.raw
        found[raw] = BlobRow(content, raw, size, format, content, is_recipe, inspection)
    return found
