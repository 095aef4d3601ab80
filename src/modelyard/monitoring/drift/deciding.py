"""`drift_of`: which columns moved, by the tiles of a window and those of the reference.

Each column has several tests; its p-value is their smallest, times their number. Over all columns
Benjamini and Hochberg's procedure says which are no accident. Of these, those are suspected of
which a test that is no accident reaches the smallest effect that matters; and drifted is what was
suspected in 2 of the last 3 windows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from modelyard.core.monitoring import Drift
from modelyard.monitoring.drift.columns import pairs_of
from modelyard.monitoring.drift.testing import tested
from modelyard.monitoring.drift.thresholds import LIMITS, highest_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.monitoring.drift.columns import Pair
    from modelyard.monitoring.drift.thresholds import Limits
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import Tile

__all__ = ["drift_of"]

_WINDOWS: Final = 3
_SUSPECTED: Final = 2


def drift_of(
    profile: Profile, window: Tile, before: Sequence[Tile] = (), *, limits: Limits = LIMITS
) -> tuple[Drift, ...]:
    """How far each input, the predictions and their scores moved from the reference.

    Args:
        profile: What the version is compared with.
        window: Its rows in the window, of the profile's schema.
        before: The windows before it, as long as this one, oldest first; the last two count.
            Without any nothing is said to have drifted, only suspected.
        limits: What counts as drift.

    Returns:
        Inputs in the order of the schema, then `predictions`, then `scores`.
    """
    told = _compared(profile, window, limits)
    seen = Counter(
        drift.column
        for tile in before[-(_WINDOWS - 1) :]
        for drift in _compared(profile, tile, limits)
        if drift.suspected
    )
    return tuple(
        replace(drift, drifted=True)
        if drift.suspected + seen[drift.column] >= _SUSPECTED
        else drift
        for drift in told
    )


def _compared(profile: Profile, window: Tile, limits: Limits) -> list[Drift]:
    pairs = pairs_of(profile.tile, window)
    if not pairs:
        return []
    found = tested(pairs, limits)
    able = found.able
    highest = highest_p(found.chances[able], limits.level)
    return [
        Drift(
            column=pair.column.name,
            kind=pair.column.kind,
            rows=int(pair.window.sum()) + pair.window_nulls,
            scores=scores,
            suspected=bool(can) and ratio >= 1,
            drifted=False,
            score=ratio if can else 0.0,
            violations=pair.violations,
            reason=None if can else _reason(pair, limits),
        )
        for pair, can, (scores, ratio) in zip(pairs, able, found.scores(highest), strict=True)
    ]


def _reason(pair: Pair, limits: Limits) -> str:
    for counts, nulls, where in (
        (pair.window, pair.window_nulls, "in the window"),
        (pair.reference, pair.reference_nulls, "in the reference"),
    ):
        values = int(counts.sum())
        if values < limits.rows:
            what = "rows with a value" if values + nulls >= limits.rows else "rows"
            return f"{values:,} {what} {where}: {limits.rows:,} are needed"
    return "too few rows"
