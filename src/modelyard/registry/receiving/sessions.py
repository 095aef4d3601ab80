"""Uploads in several requests: whose they are, and what they added so far."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelyard.catalog.queries import chunks, uploads
from modelyard.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.uploads import UploadRow
    from modelyard.registry.house import House

__all__ = ["count", "finish", "join", "look"]

_DAY = 24 * 3600 * 1_000_000
_ID = re.compile(r"[0-9a-f]{32}\Z")


def join(house: House, session: str, model: str) -> UploadRow:
    """The session, which begins now if it did not before. NotFound: `no-session`."""
    found = look(house, session, model)
    if found is not None:
        return found

    def work(connection: sa.Connection) -> UploadRow:
        now = house.catalog.now(connection)
        for old in uploads.old(connection, now - _DAY):
            _end(connection, old)
        return uploads.begin(connection, session, house.caller.id, model, now)

    return _own(house, house.catalog.write(work), model)


def look(house: House, session: str, model: str) -> UploadRow | None:
    """The session if it is there. NotFound: `no-session` if it is somebody else's."""
    if _ID.match(session) is None:
        raise InvalidInput("bad-session", "a session is 32 hexadecimal digits")
    with house.catalog.read() as connection:
        found = uploads.get(connection, session)
    return None if found is None else _own(house, found, model)


def count(house: House, session: str, new_bytes: int) -> None:
    """So many encoded bytes came."""
    catalog = house.catalog
    catalog.write_soft(lambda c: uploads.add(c, session, new_bytes, catalog.now(c)))


def finish(house: House, session: str) -> None:
    """Its commit is done: nothing needs to be held any more."""
    house.catalog.write(lambda connection: _end(connection, session))


def _end(connection: sa.Connection, session: str) -> None:
    uploads.end(connection, session)
    chunks.close_session(connection, session)


def _own(house: House, row: UploadRow, model: str) -> UploadRow:
    if (row.account_id, row.model) != (house.caller.id, model):
        raise NotFound("no-session", "there is no such upload of yours", hint="draw a new session")
    return row
