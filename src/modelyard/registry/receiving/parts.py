"""Chunks that come in parts, each durable before it is acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.queries.readable import sees_all
from modelyard.core.names import MAIN, ModelName, RefName
from modelyard.core.transferring import Missing, Stored, names_of, pack_bits, parse_frames
from modelyard.registry.base import find_base
from modelyard.registry.receiving import sessions
from modelyard.registry.receiving.known import checked, ingest_for, segments_of
from modelyard.registry.receiving.receipts import proven, receipt_for

if TYPE_CHECKING:
    from modelyard.core.transferring import Question
    from modelyard.registry.house import House
    from modelyard.registry.receiving.state import Receiving

__all__ = ["missing", "receive_part"]

Revision = str | int | None


def missing(house: House, receiving: Receiving, model: str, asked: Question) -> Missing:
    """Which chunks a client is to send."""
    names = names_of(asked.names)
    known = base_chunks(house, receiving, model, asked.branch, asked.parent)
    if sees_all(house.caller):
        known |= house.index.find(set(names) - known).keys()
    elif asked.session is not None and sessions.look(house, asked.session, model) is not None:
        known |= proven(house, asked.session, house.caller.id, asked.have)
    return Missing(pack_bits([name not in known for name in names]))


def receive_part(
    house: House,
    receiving: Receiving,
    model: str,
    session_id: str,
    body: bytes | memoryview,
    *,
    part: int,
    branch: str | None,
    parent: Revision,
) -> Stored:
    """Store the chunks of one part.

    Raises:
        InvalidInput: `bad-frames`, `wrong-chunk`, `bad-session`.
        NotFound: `no-session` if it is somebody else's.
    """
    frames = checked(list(parse_frames(body)))
    sessions.join(house, session_id, model)
    bases = receiving.bases(
        session_id, lambda: base_chunks(house, receiving, model, branch, parent)
    )
    session = house.session()
    try:
        session.join(session_id)
        ingest = ingest_for(house, session, bases)
        pieces = [np.frombuffer(frame.content, np.uint8) for frame in frames]
        ingest.chunks(segments_of(frames, bases), pieces, [frame.name for frame in frames])
        receiving.hashing(session_id).add(part, frames)
        session.flush()
        sessions.count(house, session_id, session.new_bytes)
        session.interrupted()
    finally:
        session.close()
    receipt = receipt_for(house, session_id, house.caller.id, [frame.name for frame in frames])
    return Stored(receipt, session.new_bytes)


def base_chunks(
    house: House, receiving: Receiving, model: str, branch: str | None, parent: Revision
) -> frozenset[bytes]:
    """The chunks of the version that is built on."""
    name, ref = ModelName.parse(model), RefName.parse(branch or MAIN)
    return receiving.chunks_of(house, find_base(house, name, ref, parent))
