"""One pack looked at whole: what holds it together, and every chunk that the catalog has in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.queries import chunks, garbage
from modelyard.core.chunks import ChunkRow
from modelyard.errors import Corrupt, Denied, ModelyardError, NotFound
from modelyard.store.codecs import workspace
from modelyard.store.codecs.plain import RAW
from modelyard.store.interface import SupportsReadInto
from modelyard.store.pack import (
    FOOTER_SIZE,
    chunk_id,
    encode_header,
    header_size,
    parse_trailer,
    read_seal,
    scan_records,
)
from modelyard.store.reader import Reader
from modelyard.store.sealing import BOX_EXTRA, Part, identity_of, wrapping_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelyard.catalog.queries.garbage import PackUse
    from modelyard.registry.house import House
    from modelyard.store.codecs import Workspace
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.interface import Backend, Facts, Stat
    from modelyard.store.pack import Record
    from modelyard.store.sealing import PackLock

    Read = Callable[[int, int], bytes]

__all__ = ["Checked", "check_pack"]

_PIECE = 8 << 20


@dataclass(slots=True)
class Checked:
    """What was found in one pack."""

    pack: PackUse
    problems: list[str] = field(default_factory=list)
    """Of the pack itself, for people."""
    bad: dict[int, str] = field(default_factory=dict)
    """Rows of chunks that can't be read, and why."""
    count: int = 0
    size: int = 0
    """Decoded bytes of its chunks."""


def check_pack(house: House, use: PackUse) -> Checked:
    """Read a pack from its first byte to its last. What gc moves meanwhile is looked for again."""
    found = Checked(use)
    rows, bases = _rows(house, use)
    found.count, found.size = len(rows), sum(row.size for row in rows)
    try:
        data = _whole(house, use)
    except NotFound:
        if _is_still(house, use):
            found.problems.append("it is not in the store")
        data = np.empty(0, np.uint8)
    except Corrupt as error:
        found.problems.append(error.message)
        data = np.empty(0, np.uint8)
    if len(data) and (rows or _is_still(house, use)):
        _look(house, use, rows, bases, data, found)
    else:
        found.bad = {row.id: f"its pack {use.name} can't be read" for row in rows}
    if found.bad:
        found.bad = _again(house, rows, found.bad)
    return found


def _rows(house: House, use: PackUse) -> tuple[list[ChunkRow], dict[int, ChunkRow]]:
    with house.catalog.fresh() as connection:
        keys = garbage.chunks_of_pack(connection, use.id)
        rows = [ChunkRow._make(row) for row in chunks.by_id(connection, keys)]
        wanted = {row.base_id for row in rows if row.base_id is not None}
        bases = {row.id: row for row in map(ChunkRow._make, chunks.by_id(connection, wanted))}
    return sorted(rows, key=lambda row: row.start), bases


def _is_still(house: House, use: PackUse) -> bool:
    with house.catalog.fresh() as connection:
        return any(other.id == use.id for other in garbage.packs_in(connection, use.state))


def _whole(house: House, use: PackUse) -> Bytes:
    """The bytes of a pack; of one that may still grow, those that are indexed."""
    status = house.backend.stat(use.name)
    if status is None:
        raise NotFound("no-object", f"the store has no object {use.name}")
    if status.size < use.size:
        raise Corrupt("short-object", f"it ends at byte {status.size}, not at {use.size}")
    size = use.size if use.state == "open" else status.size
    out = workspace().bytes("pack", size)
    for at in range(0, size, _PIECE):
        end = min(at + _PIECE, size)
        if isinstance(house.backend, SupportsReadInto):
            house.backend.read_into(use.name, at, out[at:end])
        else:
            out[at:end] = np.frombuffer(house.backend.get(use.name, at, end), np.uint8)
    return out


def _look(
    house: House,
    use: PackUse,
    rows: list[ChunkRow],
    bases: Mapping[int, ChunkRow],
    data: Bytes,
    found: Checked,
) -> None:
    view = memoryview(data.data)

    def read(start: int, end: int) -> bytes:
        return bytes(view[start:end])

    # a pack that was begun may hold nothing yet
    seal = rows[0].seal if rows else house.index.pack_seal(use.name)
    lock = _lock(house, seal, read, found)
    if lock is not None or seal is None:
        records = _records(read, use, lock, found)
        last = records[max(records)] if records else None
        seen = use.size if last is None else last.start + last.length
        for row in rows:
            reason = _misplaced(row, records.get(row.start), bases)
            if reason is not None and row.start < seen:  # beyond a damaged head nothing is known
                found.bad[row.id] = reason
        if use.state == "live":
            sound = [row for row in rows if row.id not in found.bad]
            _check_trailer(read, use, len(data), lock, sound, found)
    work = workspace()
    reader = Reader(_Held(house.backend, use.name, view), house.index, house.vault)
    for row in rows:
        if row.id not in found.bad:
            try:
                _check_chunk(reader, row, view, work, bases)
            except ModelyardError as error:
                found.bad[row.id] = error.message


def _check_chunk(
    reader: Reader,
    row: ChunkRow,
    view: memoryview,
    work: Workspace,
    bases: Mapping[int, ChunkRow],
) -> None:
    if row.codec == RAW and row.seal is None:  # its bytes lie there as they are
        content = view[row.start : row.start + row.length]
        if len(content) != row.size or chunk_id(row.kind, content) != row.hash:
            raise Corrupt("bad-chunk", f"the bytes at {row.start} of {row.pack} are damaged")
        return
    out = work.bytes("verify", row.size) if row.size else np.empty(0, np.uint8)
    reader.into(row, out, work, bases)


def _lock(house: House, seal: bytes | None, read: Read, found: Checked) -> PackLock | None:
    """Check the header; the lock that the catalog knows, for that of the header may be older."""
    try:
        header = read_seal(read)
    except Corrupt:
        found.problems.append("its header is damaged")
        header = seal
    if (header is None) != (seal is None) and found.count:
        found.problems.append("its header is damaged: it tells wrongly whether it is encrypted")
    elif header is not None and seal is not None and house.vault is not None:
        if identity_of(header) != identity_of(seal):
            found.problems.append("the key in its header is damaged")
        else:
            try:
                house.vault.lock(header)
            except Corrupt:
                found.problems.append("the key in its header is damaged")
            except Denied:  # wrapped by a master key that is not used any more, or said to be
                if wrapping_of(header) == wrapping_of(seal):
                    found.problems.append("the key in its header is damaged")
    try:
        return house.vault.lock(seal) if house.vault is not None and seal is not None else None
    except (Corrupt, Denied) as error:
        found.problems.append(f"its key in the catalog can't be used: {error.message}")
        return None


def _records(read: Read, use: PackUse, lock: PackLock | None, found: Checked) -> dict[int, Record]:
    records: dict[int, Record] = {}
    at = header_size(lock.seal if lock else None)
    patched = _with_header(read, lock)
    for record in scan_records(patched, use.size, lock):
        records[record.start] = record
        at = record.start + record.length
    if at != use.size:
        found.problems.append(f"the head of the record at byte {at} is damaged")
    return records


def _with_header(read: Read, lock: PackLock | None) -> Read:
    """Records are looked at even if the header, of which was told already, is damaged."""
    header = encode_header(lock)

    def patched(start: int, end: int) -> bytes:
        if start == 0 and end <= max(len(header), header_size(b"")):
            return header[:end] if lock else header + read(len(header), end)
        return read(start, end)

    return patched


def _check_trailer(
    read: Read,
    use: PackUse,
    size: int,
    lock: PackLock | None,
    rows: list[ChunkRow],
    found: Checked,
) -> None:
    listed = parse_trailer(read, size, lock)
    if listed is not None:
        there = {(chunk.hash, chunk.start) for chunk in listed}
        if any((row.hash, row.start) not in there for row in rows):
            found.problems.append("its trailer does not list what the catalog has in it")
        return
    extra = BOX_EXTRA if lock else 0
    footer = read(size - FOOTER_SIZE - extra, size)
    try:
        if lock is not None:
            footer = lock.open(Part.FOOTER, size - FOOTER_SIZE - extra, footer)
        whole = footer[-8:] == b"yardtail" and int.from_bytes(footer[:8], "little") == use.size
    except Corrupt:
        whole = False
    found.problems.append(
        "its trailer, or the footer's checksum of it, is damaged" if whole
        else "its footer is damaged, or it has none"
    )  # fmt: skip


def _misplaced(row: ChunkRow, record: Record | None, bases: Mapping[int, ChunkRow]) -> str | None:
    """How a row differs from the record that it stands for."""
    if record is None:
        return f"the catalog says it is at byte {row.start} of {row.pack}, where no record begins"
    base = bases.get(row.base_id or 0)
    said = (row.length, row.size, row.codec, row.kind, base.hash if base else None)
    lies = (record.length, record.size, record.codec, record.kind, record.base)
    names = ("length", "size", "codec", "kind", "base")
    wrong = [name for name, a, b in zip(names, said, lies, strict=True) if a != b]
    if not wrong:
        return None
    return f"the catalog and pack {row.pack} disagree about its {' and '.join(wrong)}"


def _again(house: House, rows: list[ChunkRow], bad: dict[int, str]) -> dict[int, str]:
    """gc may have moved or dropped what could not be read where it was."""
    with house.catalog.fresh() as connection:
        now = {row.id: row for row in map(ChunkRow._make, chunks.by_id(connection, bad))}
    before = {row.id: row for row in rows}
    still: dict[int, str] = {}
    for key, reason in bad.items():
        row = now.get(key)
        if row is None:
            continue
        if row == before[key]:
            still[key] = reason
            continue
        try:
            house.reader.into(row, np.empty(row.size, np.uint8), workspace(), _bases(house, row))
        except ModelyardError as error:
            still[key] = error.message
    return still


def _bases(house: House, row: ChunkRow) -> Mapping[int, ChunkRow]:
    with house.catalog.fresh() as connection:
        wanted = [] if row.base_id is None else [row.base_id]
        return {base.id: base for base in map(ChunkRow._make, chunks.by_id(connection, wanted))}


class _Held:
    """A store of which one pack is in memory."""

    def __init__(self, backend: Backend, key: str, view: memoryview) -> None:
        self._backend = backend
        self._held = (key, view)

    @property
    def facts(self) -> Facts:
        return self._backend.facts

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        held, view = self._held
        if key != held:
            return self._backend.get(key, start, end)
        found = bytes(view[start:end])
        if end is not None and len(found) < end - start:
            raise Corrupt("short-object", f"{key} ends before byte {end}")
        return found

    def put(self, key: str, data: bytes) -> None:
        raise NotImplementedError

    def stat(self, key: str) -> Stat | None:
        return self._backend.stat(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return self._backend.keys(prefix)

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """The store below is somebody else's."""
