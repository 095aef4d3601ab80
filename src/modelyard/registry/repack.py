"""Writing packs anew that hold mostly garbage, and joining small ones where none can grow.

Chunks move as they are encoded, but each is decoded and compared with its name on the way: a
damaged one stays where it is, and so does its pack. Readers under way keep the old packs for the
grace time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.index import register
from modelyard.catalog.queries import chunks, garbage
from modelyard.core.chunks import PACK_LIMIT, ChunkRow
from modelyard.errors import Corrupt, NotFound
from modelyard.store.codecs import Encoded, decode, workspace
from modelyard.store.interface import SupportsAppend
from modelyard.store.pack import chunk_id

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.garbage import PackUse
    from modelyard.core.chunks import NewChunk, PackGrowth
    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.fetch import Ahead
    from modelyard.store.interface import Appender
    from modelyard.store.writer import Session

__all__ = ["Moved", "choose", "repack", "rewrite"]

_RARE = 0.5
"""A pack of which less than this is needed is written anew."""
_SMALL = 8 << 20
"""Packs under this are joined on stores where they can't grow."""
_GROUP = PACK_LIMIT * 3 // 4
_RUN = 16 * PACK_LIMIT
"""Bytes that one gc moves at most, the oldest packs first; the next goes on."""
_OPEN = 1 << 16
_HEADER = 16
_SLICE = 5_000
"""Rows that move while everybody waits."""


class Moved(NamedTuple):
    """What was written anew."""

    packs: int
    """That were given up."""
    bytes: int
    """Encoded, that were needed of them."""


def choose(house: House, uses: Sequence[PackUse], leased: Container[int]) -> list[list[PackUse]]:
    """Groups of packs to be joined into one each, the oldest first."""
    grows = isinstance(house.backend, SupportsAppend)
    limit = min(_GROUP, (house.backend.facts.max_object or PACK_LIMIT) * 3 // 4)
    free = [use for use in uses if use.id not in leased and use.state in ("live", "open")]
    rare = [use for use in free if _is_rare(use)]
    small = [] if grows else [
        use for use in free if use.live > 0 and use.size < _SMALL and not _is_rare(use)
    ]  # fmt: skip
    groups = _grouped(rare, limit)
    groups += [kept for group in _grouped(small, limit) if len(kept := _worthwhile(group)) > 1]
    found: list[list[PackUse]] = []
    total = 0
    for group in sorted(groups, key=lambda group: group[0].id):
        total += sum(use.live for use in group)
        if found and total > _RUN:
            break
        found.append(group)
    return found


def _is_rare(use: PackUse) -> bool:
    """Mostly garbage. A sealed pack of which nothing is needed is not written but condemned."""
    records = use.size - _HEADER
    if use.state == "open":
        return records > 0 and use.live < records * _RARE and (records > _OPEN or not use.live)
    return 0 < use.live < records * _RARE


def _grouped(packs: Sequence[PackUse], limit: int) -> list[list[PackUse]]:
    """Neighbours in age that fit into one pack; one that is open goes by itself."""
    groups: list[list[PackUse]] = []
    room = 0
    for use in packs:
        if use.state == "open" or not groups or use.live > room or groups[-1][0].state == "open":
            groups.append([])
            room = limit
        groups[-1].append(use)
        room -= use.live
    return groups


def _worthwhile(group: Sequence[PackUse]) -> list[PackUse]:
    """Without those that are larger than all others together: they would be written too often."""
    kept = sorted(group, key=lambda use: use.live)
    while len(kept) > 1 and kept[-1].live > sum(use.live for use in kept[:-1]):
        kept.pop()
    return sorted(kept, key=lambda use: use.id)


def repack(house: House) -> Moved:
    """Move the needed chunks out of packs that are not worth keeping."""
    with house.catalog.read() as connection:
        leased = garbage.leased_packs(connection, house.catalog.now(connection))
        groups = choose(house, garbage.pack_uses(connection), leased)
    done = [rewrite(house, group) for group in groups]
    return Moved(sum(moved.packs for moved in done), sum(moved.bytes for moved in done))


def rewrite(house: House, group: Sequence[PackUse]) -> Moved:
    """Copy what is needed of some packs into a new one, and condemn them."""
    lock: Appender | None = None
    if group[0].state == "open" and isinstance(house.backend, SupportsAppend):
        try:
            lock = house.backend.append(group[0].name, group[0].size)
        except NotFound:
            return Moved(0, 0)  # another gc was faster
        if lock is None:
            return Moved(0, 0)  # somebody is writing to it
    session = house.session()
    try:
        session.prepare()
        homes = {name: use.id for use in group for name in _copy(house, session, use)}
        _move(house, homes, session.sync())
        session.registered()
        return _condemn(house, group)
    finally:
        session.close()
        if lock is not None:
            lock.close()


def _copy(house: House, session: Session, use: PackUse) -> Iterator[ChunkId]:
    """Copy a pack's chunks; gives the names of those that are whole."""
    with house.catalog.fresh() as connection:
        keys = garbage.chunks_of_pack(connection, use.id)
        rows = [ChunkRow._make(row) for row in chunks.by_id(connection, keys)]
        wanted = {row.base_id for row in rows if row.base_id is not None}
        bases = {row.id: row for row in map(ChunkRow._make, chunks.by_id(connection, wanted))}
    rows.sort(key=lambda row: row.start)
    with house.reader.ahead(rows, bases) as ahead:
        for row in rows:
            base = bases.get(row.base_id) if row.base_id is not None else None
            try:
                payload = _checked(house, row, base, ahead)
            except (Corrupt, NotFound):
                continue  # verify tells of it
            if session.claim(row.hash):
                encoded = Encoded(row.codec, [payload], len(payload))
                session.append(row.kind, row.hash, row.size, encoded, base)
                yield row.hash


def _checked(house: House, row: ChunkRow, base: ChunkRow | None, ahead: Ahead | None) -> bytes:
    """The encoded bytes of a chunk; what is made of these very bytes has its name."""
    work = workspace()
    before: Bytes | None = None
    if base is not None:
        before = work.bytes("moved base", base.size)
        house.reader.into(base, before, work, {}, ahead)
    payload = bytes(house.reader.payload(row, work, ahead))
    out = work.bytes("moved", row.size)
    decode(row.codec, memoryview(payload), before, out, work)
    if chunk_id(row.kind, out.data) != row.hash:
        raise Corrupt("bad-chunk", f"chunk {row.hash.hex()[:16]} in {row.pack} is damaged")
    return payload


def _move(house: House, homes: Mapping[ChunkId, int], growth: Iterable[PackGrowth]) -> None:
    """The rows, some thousand at a time: both copies are durable, so it may end anywhere."""
    for pack in growth:
        for at in range(0, len(pack.chunks), _SLICE):
            some = pack.chunks[at : at + _SLICE]

            def work(
                connection: sa.Connection, pack: PackGrowth = pack, some: Sequence[NewChunk] = some
            ) -> None:
                now = house.catalog.now(connection)
                (new,) = register(connection, [pack._replace(chunks=())], now)
                held = garbage.leased_packs(connection, now)  # what leaves one loses its lease
                moves = [
                    garbage.Move(c.hash, homes[c.hash], new, c.start, c.length)
                    for c in some
                    if homes[c.hash] not in held
                ]
                garbage.move_chunks(connection, moves)

            house.catalog.write_alone(work)


def _condemn(house: House, group: Sequence[PackUse]) -> Moved:
    def work(connection: sa.Connection) -> list[int]:
        full = garbage.full_packs(connection, [use.id for use in group])
        empty = [use.id for use in group if use.id not in full]
        garbage.set_pack_state(connection, empty, "condemned", house.catalog.now(connection))
        return empty

    empty = set(house.catalog.write_alone(work))
    return Moved(len(empty), sum(use.live for use in group if use.id in empty))
