"""Packs in an SQL database: SQLite, PostgreSQL, MySQL or MariaDB.

An object is a row that names an upload, and an upload is rows of at most 1 MiB. Rows of an upload
never change and its number is never used again, so whoever finds all of them has the right bytes;
an object comes into being, or gets another upload, in the transaction that writes its row. Parts
that no object names have a row in `yard_store_upload`, by which they are found and removed.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from modelyard.errors import Corrupt, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.store import sql_objects as rows
from modelyard.store.interface import Facts, Stat, check_key
from modelyard.store.sql_database import Database
from modelyard.store.sql_parts import insert_part, longest_part, read_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from modelyard.store.sql_objects import Row

__all__ = ["SqlBackend"]

_MAX_OBJECT = 1 << 30
_BATCH = 16 << 20  # bytes that one transaction or one answer holds
_PAGE = 1000  # keys of one answer
_KNOWN = 4096  # objects whose rows are remembered
_AGE = 3600.0  # seconds


class SqlBackend:
    """Objects in the tables `yard_store_*` of a database, made on first use.

    Passwords come from where the database's own tools look, or from `YARD_STORE_PASSWORD`.
    Errors: `Denied` `store-credentials` and `store-permission`, `NotFound` `no-database`,
    `Unavailable` `store-unavailable`, `disk-full` and `store-io`, `Corrupt` `store-damaged`.
    """

    facts = Facts(max_object=_MAX_OBJECT, is_local=False, max_parallel=4)

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._known: OrderedDict[str, Row] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        if len(data) > _MAX_OBJECT:
            raise InvalidInput("object-too-large", f"{key} has {len(data)} bytes")
        view = memoryview(data)
        if len(view) <= _BATCH:
            self._database.write(_put_whole, key, secrets.randbits(63), view)
        else:
            self._put_in_batches(key, view)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        check_key(key)
        row = self._known.get(key)
        if row is not None and start < row.size:
            found = self._read(row, start, end)
            if found is not None:
                return found
        while True:
            row = self._find(key)
            found = self._read(row, start, end)
            if found is not None:
                return found
            if self._find(key).upload == row.upload:  # nobody replaced it while it was read
                raise Corrupt("short-object", f"{key} ends before byte {end or row.size}")

    def stat(self, key: str) -> Stat | None:
        check_key(key)
        row = self._database.read(rows.find, key)
        return None if row is None else Stat(row.size, row.modified / 1e6)

    def keys(self, prefix: str = "") -> Iterator[str]:
        if not prefix.isascii():
            return
        last = ""
        while True:
            page = self._database.read(rows.keys_after, prefix, last, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1]

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._known.pop(key, None)
        self._database.write(rows.remove, key)

    def remove_leftovers(self, older_seconds: float = _AGE) -> int:
        """Delete what `put`s left that died, if nobody wrote there for so long; tells how many."""
        stale = self._database.read(rows.stale_uploads, older_seconds)
        write = self._database.write
        return sum(write(rows.sweep, upload, older_seconds) for upload in stale)

    def close(self) -> None:
        self._database.close()

    def _put_in_batches(self, key: str, view: memoryview) -> None:
        for _ in range(3):
            try:
                return self._try_in_batches(key, view)
            except _Swept:
                continue
        raise Unavailable("store-unavailable", f"{key} was swept away while it was written")

    def _try_in_batches(self, key: str, view: memoryview) -> None:
        """Transactions of bounded size; the last one shows what the others wrote."""
        upload, write = secrets.randbits(63), self._database.write
        try:
            part_size = write(_open, upload)
            step = _BATCH // part_size * part_size
            for start in range(0, len(view), step):
                write(_add, upload, view[start : start + step], part_size, start // part_size)
            write(_finish, key, upload, len(view), part_size)
        except BaseException:
            with suppress(ModelyardError):
                write(rows.sweep, upload, -1.0)
            raise

    def _find(self, key: str) -> Row:
        row = self._database.read(rows.find, key)
        with self._lock:
            self._known.pop(key, None)
            if row is not None:
                self._known[key] = row
                if len(self._known) > _KNOWN:
                    self._known.popitem(last=False)
        if row is None:
            raise NotFound("no-object", f"the store has no object {key}")
        return row

    def _read(self, row: Row, start: int, end: int | None) -> bytes | None:
        """The bytes; None if the object ends before, or its parts are gone meanwhile."""
        stop = row.size if end is None else end
        if stop > row.size:
            return None
        pieces: list[bytes] = []
        step = _BATCH // row.part_size * row.part_size
        for begin in range(start // step * step, stop, step):
            first, last = max(begin, start), min(begin + step, stop)
            pieces += self._database.read(read_parts, row.upload, row.part_size, first, last)
        if sum(map(len, pieces)) != max(stop - start, 0):
            return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Swept(Exception):
    """Somebody took this upload for a dead one's."""


def _put_whole(connection: sa.Connection, key: str, upload: int, view: memoryview) -> None:
    part_size = _part_size(connection)
    _insert(connection, upload, view, part_size, 0)
    rows.show(connection, key, upload, size=len(view), part_size=part_size)


def _open(connection: sa.Connection, upload: int) -> int:
    rows.open_upload(connection, upload)
    return _part_size(connection)


def _add(
    connection: sa.Connection, upload: int, batch: memoryview, part_size: int, first: int
) -> None:
    if not rows.touch(connection, upload):
        raise _Swept
    _insert(connection, upload, batch, part_size, first)


def _finish(connection: sa.Connection, key: str, upload: int, size: int, part_size: int) -> None:
    if not rows.close_upload(connection, upload):
        row = rows.find(connection, key)
        if row is None or row.upload != upload:
            raise _Swept
        return  # done already: only the reply to COMMIT was lost
    rows.show(connection, key, upload, size=size, part_size=part_size)


def _insert(
    connection: sa.Connection, upload: int, view: memoryview, part_size: int, first: int
) -> None:
    for number, start in enumerate(range(0, len(view), part_size), first):
        insert_part(connection, upload, number, view[start : start + part_size])


def _part_size(connection: sa.Connection) -> int:
    return longest_part(connection.info.get("yard_packet"))
