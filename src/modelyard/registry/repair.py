"""Mending from another yard: content is asked for by name, checked, and stored anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.index import register
from modelyard.catalog.queries import chunks, garbage
from modelyard.core.chunks import ChunkRow, Kind
from modelyard.errors import ModelyardError
from modelyard.registry.repack import rewrite
from modelyard.store.codecs import encode, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
    from modelyard.registry.packs import Checked

__all__ = ["repair"]

_ROUND = 64


def repair(
    house: House, source: House, found: Sequence[Checked], missing: Mapping[bytes, object]
) -> tuple[str, ...]:
    """Store the content of broken chunks anew, as far as the other yard has it; gives their names.

    Packs that are damaged themselves, whose chunks can be read, are written anew.
    """
    bad = [key for pack in found for key in pack.bad]
    with house.catalog.read() as connection:
        rows = [ChunkRow._make(row) for row in chunks.by_id(connection, bad)]
    wanted: dict[bytes, int] = {row.hash: row.kind for row in rows}
    wanted |= {name: int(Kind.CONTENT) for name in missing}
    names = list(wanted)
    done: list[str] = []
    for at in range(0, len(names), _ROUND):
        some = {name: wanted[name] for name in names[at : at + _ROUND]}
        done += [name.hex() for name in _store(house, source, some)]
    for pack in found:
        if pack.problems:
            rewrite(house, [pack.pack])
    return tuple(done)


def _store(house: House, source: House, wanted: Mapping[bytes, int]) -> list[ChunkId]:
    session = house.session()
    try:
        session.prepare()
        stored = []
        for row, content in _from(source, wanted):
            encoded = encode(content, 1, False, None, workspace())
            session.append(row.kind, row.hash, row.size, encoded, None)
            stored.append(row.hash)
        growth = session.sync()

        def work(connection: sa.Connection) -> None:
            now = house.catalog.now(connection)
            known = chunks.ids_of(connection, stored)
            for pack in growth:
                (key,) = register(connection, [pack._replace(chunks=())], now)
                new = [chunk for chunk in pack.chunks if chunk.hash not in known]
                register(connection, [pack._replace(chunks=tuple(new))], now)
                for chunk in pack.chunks:
                    if chunk.hash in known:
                        garbage.replace_chunk(connection, known[chunk.hash], key, chunk)

        if growth:
            house.catalog.write_alone(work)
        session.registered()
        return stored
    finally:
        session.close()


def _from(
    source: House, wanted: Mapping[bytes, int]
) -> Iterator[tuple[ChunkRow, np.ndarray[tuple[int], np.dtype[np.uint8]]]]:
    """What the other yard has of these chunks, read and checked there."""
    rows = source.index.find(wanted)  # type: ignore[arg-type]
    bases = source.reader.bases(rows.values())
    for row in rows.values():
        out = np.empty(row.size, np.uint8)
        try:
            source.reader.into(row, out, workspace(), bases)
        except ModelyardError:
            continue
        yield row, out
