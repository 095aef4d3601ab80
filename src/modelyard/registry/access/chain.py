"""The chain over the audit log: each seal covers the lines after the one before, and its digest.

Whoever alters, adds or takes away a line that is sealed, would have to make all later seals again;
and then their head is not the one that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import chain
from modelyard.catalog.queries.chain import SealRow
from modelyard.core.people import ChainHead
from modelyard.core.stats import Damage
from modelyard.errors import NotFound
from modelyard.registry.access.notes import write_note
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["chain_head", "check_chain", "expect_head", "seal"]

_AT_ONCE = 5000
"""Lines that one seal covers at most: others must not wait long while it is made."""
_BEGIN = bytes(32)


def seal(house: House) -> ChainHead | None:
    """Seal all lines that are there, and give the head of the chain; None if it has none.

    While no write is in flight: so no line can appear later among those that are sealed. A chain
    that begins, also after a rebuild, says so in a line.
    """
    while True:
        with house.catalog.fresh() as connection:
            head = chain.last(connection)
            if head is not None and not chain.is_behind(connection, head.last):
                return _head(connection, head)
        house.catalog.write_alone(lambda connection: _seal_some(house, connection))


def chain_head(house: House) -> ChainHead | None:
    """The head as it is; None if no line was ever sealed."""
    with house.catalog.fresh() as connection:
        head = chain.last(connection)
        return None if head is None else _head(connection, head)


def expect_head(house: House, digest: str) -> ChainHead:
    """The seal with a digest that was noted elsewhere. NotFound: `no-seal`: it was made anew."""
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        raw = b""
    with house.catalog.fresh() as connection:
        found = chain.by_digest(connection, raw) if len(raw) == 32 else None
        if found is None:
            raise NotFound(
                "no-seal", f"the chain of the audit log has no seal {digest[:64]}",
                hint="it was rebuilt, or somebody made it again: compare with a backup",
            )  # fmt: skip
        return _head(connection, found)


def check_chain(house: House) -> list[Damage]:
    """Every run of sealed lines that is not what was sealed."""
    return list(_damage(house))


def _damage(house: House) -> Iterator[Damage]:
    with house.catalog.fresh() as connection:
        before, digest = 0, _BEGIN
        for row in chain.all_seals(connection):
            found = _lines(connection, before, row.last)
            actual, count = _digest(digest, found)
            if actual != row.digest:
                yield _damaged(row, count)
            before, digest = row.last, row.digest


def _damaged(row: SealRow, count: int) -> Damage:
    if count < row.lines:
        reason = f"{row.lines - count} of its lines are gone"
    elif count > row.lines:
        reason = f"it has {count - row.lines} lines more than when it was sealed"
    else:
        reason = "a line of it, or a seal before it, is not what was sealed"
    name = f"lines {row.first}-{row.last}"
    return Damage(what="audit", name=name, versions=(), reason=reason)


def _seal_some(house: House, connection: sa.Connection) -> None:
    head = chain.last(connection)
    before, digest = (0, _BEGIN) if head is None else (head.last, head.digest)
    if head is None:
        write_note(house, connection, "chain", "the seals of this log begin")
    lines = chain.lines(connection, before, None, _AT_ONCE)
    if not lines:
        return
    sealed, count = _digest(digest, lines)
    now = house.catalog.now(connection)
    chain.add(connection, SealRow(0, lines[0][0], lines[-1][0], count, sealed, now))


def _lines(connection: sa.Connection, after: int, upto: int) -> Iterator[tuple[Any, ...]]:
    while True:
        found = chain.lines(connection, after, upto, _AT_ONCE)
        yield from found
        if len(found) < _AT_ONCE:
            return
        after = found[-1][0]


def _digest(before: bytes, lines: Iterable[tuple[Any, ...]]) -> tuple[bytes, int]:
    """SHA-256 of the digest before and of the lines, each as a JSON array; and how many."""
    sha, count = hashlib.sha256(b"modelyard audit 1\n" + before), 0
    for line in lines:
        sha.update(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        count += 1
    return sha.digest(), count


def _head(connection: sa.Connection, row: SealRow) -> ChainHead:
    return ChainHead(
        seal=row.id, line=row.last, lines=row.lines, digest=row.digest.hex(),
        time=moment(row.time),
    )  # fmt: skip
