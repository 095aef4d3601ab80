"""The journal: what happened, written into the store before it is acknowledged.

Each entry rides in a bundle record (docs/spec/journal-1.md). From the entries, in the order of
their numbers, `rebuild` makes the catalog again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from modelyard.catalog.index import register
from modelyard.catalog.queries import audit, chunks, models
from modelyard.core.chunks import Kind
from modelyard.core.decoding import packed_decoder
from modelyard.errors import Corrupt
from modelyard.registry.lookup import find_model
from modelyard.registry.objects import join_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
    from modelyard.store.ingest import Ingest

__all__ = [
    "ContentGone", "Entry", "Journal", "acknowledged", "decode_entry", "encode_entry", "in_journal",
]  # fmt: skip

_EMPTY_BUNDLE = b""


class ContentGone(Exception):
    """gc took chunks that a session counted on: they must be sent again."""


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One thing that happened."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
    """Number of its audit line; a repeated number overrides, as the first was not acknowledged."""
    time: Annotated[int, msgspec.Meta(ge=0, le=253402300799_000_000)]
    who: str
    op: Annotated[str, msgspec.Meta(max_length=40)]
    """`commit`, `ref`, `label`, `delete`, `restore`, `rename`, ..."""
    model: Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
    name: Annotated[str, msgspec.Meta(max_length=200)]
    """Of the model, at this time."""
    detail: dict[str, Any]
    after: int | None = None
    """Number of the model's entry before this one, 0 if there is none; None if nobody noted it."""


_encoder = msgspec.msgpack.Encoder()
_decoder = packed_decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    return _encoder.encode(entry)


def decode_entry(content: bytes) -> Entry:
    try:
        return _decoder.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Corrupt("bad-journal", f"a journal entry can't be read: {error}") from None


def acknowledged(entries: Iterable[Entry]) -> set[int]:
    """Numbers of the entries that took effect, and of any that came last of all to their model.

    PostgreSQL and MySQL never use the number of a transaction again that was undone, so its entries
    may be in the store beside those of later ones. An entry says which one it came after: what lies
    between the two was undone.
    """
    of_models: dict[int, list[Entry]] = {}
    for entry in sorted(entries, key=lambda each: each.seq, reverse=True):
        of_models.setdefault(entry.model, []).append(entry)
    found: set[int] = set()
    for newest_first in of_models.values():
        limit: int | None = None
        for entry in newest_first:
            if limit is None or entry.seq <= limit:
                found.add(entry.seq)
                limit = entry.after
    return found


class Journal:
    """Writes the entries of one transaction and settles its store session."""

    def __init__(self, house: House, connection: sa.Connection, ingest: Ingest) -> None:
        self.connection = connection
        self.now = house.catalog.now(connection)
        self.seq = 0
        """Number of the entry that was written last."""
        self._house = house
        self._ingest = ingest
        self._locked: set[int] = set()

    def model(self, name: str) -> ModelRow:
        """The living model of this name, held until the end: what is read of it now stays."""
        while True:
            found = find_model(self.connection, name, self._house.caller)
            row = self.hold(found.id)
            if (row.name, row.deleted) == (found.name, 0):
                return row

    def hold(self, key: int) -> ModelRow:
        """Lock a model before anything that depends on it is read; nothing later is older."""
        row = models.lock(self.connection, key)
        if key not in self._locked:
            self._locked.add(key)
            self.now = self._house.catalog.now(self.connection)
        return row

    def write(
        self,
        op: str,
        *,
        who: str,
        model: int,
        name: str,
        detail: dict[str, Any],
        objects: bytes = _EMPTY_BUNDLE,
        base: ChunkId | None = None,
    ) -> ChunkId:
        """Note that something happened; gives the name of the record that holds it."""
        if model not in self._locked:
            self.hold(model)
        after = audit.before(self.connection, model)
        row = audit_row(op, self.now, who, model, detail)
        caller = self._house.caller
        row = row._replace(account=caller.name, address=caller.address, request=caller.request)
        self.seq = audit.add(self.connection, row)
        entry = Entry(self.seq, self.now, who, op, model, name, detail, after)
        content = join_bundle(encode_entry(entry), objects)
        return self._ingest.record(Kind.BUNDLE, content, base)

    def settle(self) -> None:
        """Make the session's bytes durable and its chunks known, in this transaction.

        Raises `ContentGone` if a lease ran out on what the session wrote before.
        """
        session = self._ingest.session
        grown = len(session.grown)
        if grown and chunks.lease_count(self.connection, session.id, self.now) < grown:
            raise ContentGone
        growth = session.write()
        self._house.catalog.before_commit(self.connection, session.harden)
        register(self.connection, growth, self.now)
        if grown:
            chunks.close_session(self.connection, session.id)


def audit_row(op: str, time: int, who: str, model: int, detail: dict[str, Any]) -> audit.AuditRow:
    """The audit log's line for an entry; what other rows tell anyway is left out of it."""
    if op == "commit":
        new = detail["number"]
        return audit.AuditRow(
            time, op, model, None, detail["branch"], "branch", detail.get("old"), new
        )
    if op == "ref":
        ref, kind, old, new = (detail[name] for name in ("ref", "kind", "old", "new"))
        return audit.AuditRow(time, detail["reason"], model, who, ref, kind, old, new)
    if op == "copy":
        told: dict[str, Any] = {
            "from": detail["from"], "versions": [version[0] for version in detail["versions"]]
        }  # fmt: skip
    else:
        told = {name: value for name, value in detail.items() if not isinstance(value, bytes)}
    shown = msgspec.json.encode(told).decode() if told else None
    return audit.AuditRow(time, op, model, who, detail=shown)


def in_journal(house: House, work: Callable[[Journal], Any]) -> Any:
    """Run `work` in one write transaction; what it noted is durable before the commit."""
    from modelyard.store.ingest import Ingest

    session = house.session()
    try:
        session.prepare()

        def run(connection: sa.Connection) -> Any:
            journal = Journal(house, connection, Ingest(session, house.reader, house.pool))
            result = work(journal)
            journal.settle()
            return result

        result = house.catalog.write(run)
        session.registered()
        return result
    finally:
        session.close()
