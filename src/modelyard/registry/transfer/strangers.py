"""A yard that somebody made to get at the files of others, or to say what they are.

That a blob is known by its SHA-256 does not give it to whoever knows the SHA-256; and what is kept
of a blob, such as what its scan found, is kept for everybody who will ever commit the same bytes.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from modelyard.catalog.queries import chunks
from modelyard.core.chunks import Kind
from modelyard.errors import Corrupt
from modelyard.formats import inspect
from modelyard.history.commits import read_commit
from modelyard.history.trees import read_tree
from modelyard.registry.inspections import encode_inspection
from modelyard.registry.receiving.content import ReceivedBytes
from modelyard.registry.transfer.checking import check_blobs
from modelyard.store.ingest import Ingest, decode_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import BinaryIO

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.registry.house import House
    from modelyard.registry.transfer.objects import SourceObjects
    from modelyard.registry.transfer.sending import Cargo
    from modelyard.store.writer import Session

__all__ = ["check_possession", "inspected"]

_LARGEST_CHUNK = 256 << 20
"""Bytes of a decoded chunk: none is as large, and each is decoded as a whole."""


def check_possession(
    source: House,
    target: House,
    rows: Sequence[BlobRow],
    commits: Iterable[bytes],
    objects: SourceObjects,
) -> dict[bytes, str]:
    """A path of every file in the trees of these commits, all of which the source has itself.

    Corrupt: `source-damaged`.
    """
    with source.catalog.read() as connection:
        largest = chunks.largest(connection)
    if largest > _LARGEST_CHUNK:
        raise _lie("a chunk of it can't be so large")
    paths: dict[bytes, str] = {}
    for commit in commits:
        tree = read_tree(read_commit(objects.get(commit)[1]).tree, objects)
        for path, entry in tree.items():
            if entry.inline is None:
                paths.setdefault(entry.digest.raw, path)
    if missing := paths.keys() - {row.sha256 for row in rows}:
        raise _lie(f"it does not hold the file {min(missing).hex()[:16]}")
    session = target.session()
    try:  # also those that the target has: to know a name is not to have the file
        check_blobs(source, target, session, rows)
    finally:
        session.close()
    return paths


def inspected(
    source: House, target: House, session: Session, cargo: Cargo, paths: Mapping[bytes, str]
) -> Cargo:
    """The cargo with what is read of its files here, in place of what the source says."""
    ingest, told, names = Ingest(session, target.reader, target.pool), [], set(cargo.names)
    for sha256, size, content, is_recipe, *_ in cargo.blobs:
        file = _file(source, cast("bytes", content), cast("int", size), bool(is_recipe))
        found = inspect(file, paths.get(cast("bytes", sha256), ""))
        chunk = None
        if found.tensors or found.metadata or found.findings or found.framework:
            chunk = ingest.record(Kind.INSPECTION, encode_inspection(found))
            names.add(chunk)
        told.append((sha256, size, content, is_recipe, found.format, None, chunk))
    return replace(cargo, blobs=told, names=frozenset(names))


def _file(source: House, content: bytes, size: int, is_recipe: bool) -> BinaryIO:
    """A blob of the source as a file."""
    name = next(iter(source.index.find([content])))  # type: ignore[list-item]
    parts = [(name, size)]
    if is_recipe:
        parts = list(decode_recipe(source.reader.record(source.index.find([name])[name])))
    rows = source.index.find({each for each, _ in parts})
    received = ReceivedBytes(source.reader, parts, {}, rows)
    return cast("BinaryIO", io.BufferedReader(received, 1 << 17))


def _lie(what: str) -> Corrupt:
    return Corrupt("source-damaged", f"the yard can't be copied from: {what}")
