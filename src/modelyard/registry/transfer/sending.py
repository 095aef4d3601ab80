"""Chunks from one store into another: only those that are missing, encoded as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.core.version import Progress
from modelyard.errors import Corrupt
from modelyard.registry.transfer.reading import decoded, full, pieces
from modelyard.store.codecs import Encoded
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.core.chunks import ChunkRow
    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
    from modelyard.registry.transfer.reading import Piece
    from modelyard.store.writer import Session

__all__ = ["Cargo", "Sent", "find_cargo", "send"]

_PENDING = 4 << 20
"""More than this is made durable before the last transaction rather than inside of it."""


@dataclass(slots=True)
class Sent:
    """What has travelled so far."""

    chunks: int = 0
    bytes: int = 0
    expected: int = 0
    report: Callable[[Progress], None] = field(default=lambda _progress: None)
    counted: set[ChunkId] = field(default_factory=set)
    """What a dry run has counted: models may share chunks."""

    def count(self, length: int) -> None:
        self.chunks += 1
        self.bytes += length
        self.expected = max(self.expected, self.bytes)
        self.report(Progress("copy", self.bytes, self.expected))


@dataclass(frozen=True, slots=True)
class Cargo:
    """What some blobs take: all their chunks, and those that the target has not."""

    names: frozenset[ChunkId]
    """Every chunk of the blobs."""
    whole: Sequence[ChunkRow]
    """Missing ones that are stored in full, bases of others among them."""
    deltas: Sequence[ChunkRow]
    """Missing ones that need their bases."""
    blobs: Sequence[tuple[object, ...]]
    """The blobs as a journal's entry tells them."""

    @property
    def bytes(self) -> int:
        return sum(row.length for row in (*self.whole, *self.deltas))


def find_cargo(source: House, target: House, rows: Iterable[BlobRow]) -> Cargo:
    """Which chunks blobs of the source are made of, and which of them the target lacks."""
    blobs = list(rows)
    ids = {blob.content_id for blob in blobs} | {b.inspection_id for b in blobs if b.inspection_id}
    heads = source.index.rows(ids)
    if len(heads) < len(ids):
        raise _changed()
    recipes = [heads[blob.content_id] for blob in blobs if blob.is_recipe]
    names = {row.hash for row in heads.values()}
    for content in decoded(source, recipes).values():
        names.update(name for name, _ in decode_recipe(content))
    missing = names - target.index.find(names).keys()
    found = source.index.find(missing)
    if len(found) < len(missing):
        raise _changed()
    bases = source.index.rows({row.base_id for row in found.values() if row.base_id is not None})
    absent = {row.hash for row in bases.values()} - target.index.find(
        {row.hash for row in bases.values()}
    ).keys()
    whole = {row.hash: row for row in found.values() if row.base_id is None}
    whole |= {row.hash: row for row in bases.values() if row.hash in absent}
    deltas = [row for row in found.values() if row.base_id is not None]
    told = [
        (b.sha256, b.size, heads[b.content_id].hash, b.is_recipe, b.format, None,
         heads[b.inspection_id].hash if b.inspection_id else None)
        for b in blobs
    ]  # fmt: skip
    return Cargo(frozenset(names), list(whole.values()), deltas, told)


def send(source: House, target: House, session: Session, cargo: Cargo, sent: Sent) -> None:
    """Append what is missing to a session's packs; large parts are durable and known by the end."""
    pending = 0
    for piece in pieces(source, cargo.whole):
        pending += _append(session, piece, None, sent)
    fresh = {row.id for row in cargo.whole}
    if any(row.base_id in fresh for row in cargo.deltas):
        session.flush()
        pending = 0
    there = _bases(source, target, cargo.deltas)
    for piece in pieces(source, cargo.deltas):
        base = there.get(piece.row.base_id or 0)
        if base is None:
            raise _changed()
        pending += _append(session, piece, base, sent)
    if pending > _PENDING:
        session.flush()


def _bases(source: House, target: House, deltas: Sequence[ChunkRow]) -> Mapping[int, ChunkRow]:
    """The target's rows of the bases, by the source's number."""
    rows = source.index.rows({row.base_id for row in deltas if row.base_id is not None})
    there = target.index.find({row.hash for row in rows.values()})
    return {key: there[row.hash] for key, row in rows.items() if row.hash in there}


def _append(session: Session, piece: Piece, base: ChunkRow | None, sent: Sent) -> int:
    """Write one chunk, unless this session did already; how many bytes it took."""
    row = piece.row
    if not session.claim(row.hash):
        return 0
    encoded = Encoded(row.codec, [piece.payload], len(piece.payload))
    if base is not None and base.base_id is not None:
        encoded, base = full(piece), None  # a base is stored in full; there it is a delta itself
    session.append(row.kind, row.hash, row.size, encoded, base)
    sent.count(encoded.length)
    return encoded.length


def _changed() -> Corrupt:
    return Corrupt(
        "chunk-lost", "a chunk is not in the source, or gc took it meanwhile",
        hint="run the command again; if it stays, yard verify tells which versions need it",
    )  # fmt: skip
