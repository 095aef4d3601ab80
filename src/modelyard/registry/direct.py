"""Reading from the store itself: URLs that are good for a while (docs/spec/transfer-1.md, 1.4).

Only for callers who may read every model: a pack holds chunks of many, and a URL opens all of it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from modelyard.core.transferring import Direct
from modelyard.errors import ModelyardError
from modelyard.store.interface import SupportsSigning

if TYPE_CHECKING:
    from modelyard.registry.house import House
    from modelyard.registry.layout import Laid

__all__ = ["direct"]

_SECONDS = 600
"""How long a URL is good: a client that takes longer goes on through the server."""
_LEAST = 1 << 20
"""Bytes of a version below which one request to the server is quicker."""
_MOST = 1000
"""URLs of one layout."""


def direct(house: House, laid: Laid) -> list[Direct]:
    """Where a layout lies in the store, if the caller of the house may read there."""
    backend = house.reader.backend
    if not house.caller.reads_all or laid.is_plain or laid.layout.size < _LEAST:
        return []
    if house.reader.vault is not None or not isinstance(backend, SupportsSigning):
        return []
    packs: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, row in enumerate(laid.rows):
        if row.seal is None:
            packs[row.pack].append((number, row.start))
    keys = sorted(packs, key=lambda key: packs[key][0])[:_MOST]
    try:
        urls = backend.signed(keys, _SECONDS)
    except ModelyardError:
        return []  # the server reads for the client
    return [Direct(url, _SECONDS, packs[key]) for key, url in zip(keys, urls, strict=False)]
