"""A share of requests that rises: of those that fail, of those that are slow."""

from __future__ import annotations

import math
from typing import Final

from modelyard.monitoring.anomalies.adwin import Adwin
from modelyard.monitoring.anomalies.findings import Seconds

__all__ = ["Surge"]

_SURE: Final = 18.4
"""Nats: by Chernoff's bound, chance does it once in 10^8 looks."""
_SHORT, _LONG = 5, 60
"""Seconds in which it is looked at: for much traffic, and for little."""
_RECENT: Final = 10
"""Seconds for which a change that ADWIN found is believed."""
_USUAL: Final = 0.002
"""A share that is thought usual before anything is known."""
_KEPT: Final = 100_000.0
"""Requests by which the usual share is known; older ones count for less and less."""
_SLOWLY: Final = 0.1
"""By how much a request counts for what is usual while it is not."""


class Surge:
    """Watches yes and no of requests.

    Args:
        least: The share from which it matters.
        seconds: In how many different seconds of the window it must have happened.
        times: How many times the usual share it must be.
        short: Seconds of the shorter one of two windows.
        known: Requests by which the usual share must be known; else a very small one is usual.
    """

    def __init__(
        self,
        *,
        least: float,
        seconds: int = 1,
        times: float = 3.0,
        short: int = _SHORT,
        known: int = 0,
    ) -> None:
        self.on = False
        self.fresh = 0
        """Yes since the last look."""
        self._least, self._needed, self._times, self._known = least, seconds, times, known
        self._windows = (short, _LONG)
        self._adwin = Adwin(1e-6, clock=1)
        self._grew = float("-inf")
        self._sums = Seconds(_LONG + 2, 2)
        self._count = self._yes = 0.0

    def add(self, second: int, count: int, yes: int) -> None:
        """Of a second: requests, and how many of them were so."""
        if not count:
            return
        self._sums.add(second, count, yes)
        self.fresh += yes
        share = yes / count
        usual = self._adwin.mean
        if self._adwin.add_block(count, share, yes * (1.0 - share)) and self._adwin.mean > usual:
            self._grew = second
        if self._count > _KEPT:
            self._count, self._yes = self._count / 2, self._yes / 2
        part = _SLOWLY if self.on else 1.0  # what lasts for very long is usual one day
        self._count += part * count
        self._yes += part * yes

    def usual(self, without: tuple[float, float] = (0.0, 0.0)) -> float:
        """The share before, without what a window holds."""
        count, yes = self._count - without[0], self._yes - without[1]
        return max(_USUAL, yes / count) if count >= 1 and yes >= 0 else _USUAL

    def look(self, now: float) -> tuple[int, int, int, float] | None:
        """Seconds of the window, requests and yes in it, and the usual share; None: it is calm."""
        found = self._found(now)
        if found is None and self.on:
            count, yes = self._sums.total(now, _RECENT)
            usual = self.usual()
            if count and yes / count >= max(self._least / 2, 2 * usual):
                found = (_RECENT, int(count), int(yes), usual)
        self.on = found is not None
        return found

    def _found(self, now: float) -> tuple[int, int, int, float] | None:
        for window in self._windows:
            count, yes = self._sums.total(now, window)
            if yes < 5 or yes < self._least * count or not self._lasts(now, window):
                continue
            if window == _LONG and not self._goes_on(now):
                continue
            usual = self.usual((count, yes) if not self.on else (0.0, 0.0))
            share = yes / count
            if share < self._times * usual:
                continue
            if not self.on and self._count - count < self._known:
                continue
            believed = not self._known and now - self._grew <= _RECENT
            sure = _SURE / 2 if believed else _SURE
            if count * _information(share, usual) >= sure:
                return window, int(count), int(yes), usual
        return None

    def _goes_on(self, now: float) -> bool:
        """Whether it is so still, of what a long window tells."""
        count, yes = self._sums.total(now, _RECENT)
        return yes > 0 and (count < 20 or yes >= self._least / 2 * count)

    def _lasts(self, now: float, window: int) -> bool:
        if self._needed <= 1:
            return True
        parts = self._sums.since(now, window)
        return sum(1 for count, yes in parts if yes >= self._least * count) >= self._needed


def _information(share: float, usual: float) -> float:
    """Nats by which a share differs from the usual one (Kullback-Leibler), of each request."""
    found = share * math.log(share / usual) if share > 0 else 0.0
    if share < 1:
        found += (1 - share) * math.log((1 - share) / (1 - usual))
    return found
