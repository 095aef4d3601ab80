"""Old tiles become longer ones, and the oldest go: so monitoring has bounded size."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelyard.errors import Corrupt
from modelyard.monitoring import windows
from modelyard.monitoring.looking import profiles_of
from modelyard.monitoring.packing import pack, truth_rows, unpack_truth
from modelyard.monitoring.quality.joining import tend_answers
from modelyard.registry.watching import alerts, leases, tiles
from modelyard.registry.watching.events import drop_events
from modelyard.registry.watching.versions import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.tiles import Tile
    from modelyard.registry.house import House

__all__ = ["KEPT", "Upkeep"]

_HOUR: Final = 3600.0
KEPT: Final = (6 * _HOUR, 35 * 24 * _HOUR, 800 * 24 * _HOUR)
"""Seconds for which tiles of minutes, hours and days are kept."""
_EVENTS: Final = 180 * 24 * _HOUR
"""Seconds for which anomalies are kept."""
_LEASE: Final = 600.0


class Upkeep:
    """What one of several servers does now and then."""

    def __init__(self, house: House, server: str) -> None:
        self._house = house
        self._server = server

    def run(self, now: float) -> int:
        """Roll up what is old enough; gives how many tiles went. Only who has the lease does."""
        if not leases.take(self._house, "monitoring-upkeep", self._server, _LEASE):
            return 0
        tend_answers(self._house, now)
        gone = 0
        for level in (tiles.MINUTE, tiles.HOUR):
            # whole hours and days only: a tile is not read, merged and written again all the time
            length = tiles.LENGTHS[level + 1]
            before = int(now - KEPT[level]) // length * length
            while (count := tiles.roll_up(self._house, level, before, self._merge)) > 0:
                gone += count
        gone += tiles.drop(self._house, tiles.DAY, now - KEPT[tiles.DAY])
        tend_answers(self._house, now)
        alerts.forget(self._house, now)
        drop_events(self._house, datetime.fromtimestamp(now - _EVENTS, UTC))
        return gone

    def _merge(
        self, kind: int, model_id: int, number: int, bodies: Sequence[bytes]
    ) -> bytes | None:
        """One of all; those of another schema than the newest are left out.

        Truths of other classes can't be added up with these: what is of more rows is kept.
        """
        schema = windows.EMPTY
        if kind != windows.PERFORMANCE:
            found = self._schema(model_id, number)
            if found is None:
                return _largest(bodies) if kind == tiles.TRUTH else None
            schema = found
        digest = windows.digest_of(schema)
        parts: list[Tile] = []
        others: list[bytes] = []
        for body in bodies:
            try:
                tile = (
                    unpack_truth(body, schema) if kind == tiles.TRUTH
                    else windows.opened(body, schema, digest)
                )  # fmt: skip
            except Corrupt:
                continue
            if tile is not None:
                parts.append(tile)
            else:
                others.append(body)
        whole = windows.merged(schema, parts) if parts else None
        if kind != tiles.TRUTH:
            return None if whole is None else windows.sealed(whole, digest)
        return _largest([*([] if whole is None else [pack(whole)]), *others])

    def _schema(self, model_id: int, number: int) -> Schema | None:
        name = name_of(self._house, model_id)
        if name is None:
            return None
        found = profiles_of(self._house).of(self._house, model_id, name, number)
        return None if found is None else found.info.schema


def _largest(bodies: Sequence[bytes]) -> bytes | None:
    """That of the most rows with truth, the first of such; None if none can be read."""
    best, most = None, -1
    for body in bodies:
        try:
            rows = truth_rows(body)
        except Corrupt:
            continue
        if rows > most:
            best, most = body, rows
    return best
