"""Giving up trials early: what lags behind the others at the same place seldom wins. Pure."""

from __future__ import annotations

from bisect import insort
from statistics import quantiles

__all__ = ["GivingUp"]

_FEW = 5
"""Scores of a place before it is judged by them."""
_FENCE = 1.5


class GivingUp:
    """Remembers scores by place.

    With one goal, a trial is given up when it is below the median of those before it at the same
    place (Golovin et al., Google Vizier, 2017). With several, a worse score may be the price of
    something: only what lies below Tukey's lower fence is given up (the first quartile less 1.5
    times the distance between the quartiles).
    """

    def __init__(self, *, several: bool) -> None:
        self._several = several
        self._scores: dict[str, list[float]] = {}

    def heard(self, place: str, score: float) -> None:
        """Remember a score; higher is better."""
        if score == score:
            insort(self._scores.setdefault(place, []), score)

    def why(self, place: str, score: float) -> str:
        """Why a trial with this score is to be given up; empty if it is not."""
        seen = self._scores.get(place, [])
        if len(seen) < _FEW:
            return ""
        low, middle, high = quantiles(seen, n=4, method="inclusive")
        if not self._several:
            return f"{score:.4g} is below the median of {middle:.4g} here" if score < middle else ""
        fence = low - _FENCE * (high - low)
        return f"{score:.4g} is far below the others here" if score < fence else ""
