"""`drift_of`: which columns moved, by the tiles of a window and those of the reference.

Each column has several tests; its p-value is their smallest, times their number. Over all columns
Benjamini and Hochberg's procedure says which are no accident. Of these, those are suspected of
which a test that is no accident reaches the smallest effect that matters; and drifted is what was
suspected in 2 of the last 3 windows (in the only one, while no other has enough rows).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from modelyard.core.monitoring import Drift
from modelyard.monitoring.drift.classifier import classifier
from modelyard.monitoring.drift.columns import pairs_of
from modelyard.monitoring.drift.joint import correlation_test
from modelyard.monitoring.drift.singles import Subject
from modelyard.monitoring.drift.testing import tested
from modelyard.monitoring.drift.thresholds import LIMITS, highest_p
from modelyard.monitoring.drift.vectors import spreads_of, vector_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.monitoring.drift.columns import Pair
    from modelyard.monitoring.drift.thresholds import Limits
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import Tile

__all__ = ["TOGETHER", "drift_of"]

TOGETHER: Final = "together"
"""The column that stands for all numbers at once."""

_WINDOWS: Final = 3
_SUSPECTED: Final = 2


def drift_of(
    profile: Profile,
    window: Tile,
    before: Sequence[Tile] = (),
    *,
    limits: Limits = LIMITS,
    sample: Array | None = None,
) -> tuple[Drift, ...]:
    """How far each input, the predictions and their scores moved from the reference.

    Args:
        profile: What the version is compared with.
        window: Its rows in the window, of the profile's schema.
        before: The windows before it, as long as this one, oldest first; the last two count.
            A window that is the only one with enough rows decides alone.
        limits: What counts as drift.
        sample: Some of the window's rows, float [rows, columns of kind `number`]: whether they
            can be told from the reference's is a further test of `together`.

    Returns:
        Inputs in the order of the schema, `predictions`, `scores`, vectors, and `together`: how
        numbers go with one another (if there are two and 500 rows).
    """
    told = list(_compared(profile, window, limits, sample))
    seen: Counter[str] = Counter(drift.column for drift in told if drift.suspected)
    able: Counter[str] = Counter(drift.column for drift in told if drift.reason is None)
    for tile in before[-(_WINDOWS - 1) :]:
        for drift in _compared(profile, tile, limits, None):
            seen[drift.column] += drift.suspected
            able[drift.column] += drift.reason is None
    return tuple(
        replace(each, drifted=seen[each.column] >= max(1, min(_SUSPECTED, able[each.column])))
        for each in told
    )


def _compared(
    profile: Profile, window: Tile, limits: Limits, sample: Array | None
) -> Iterator[Drift]:
    """Everything in one window."""
    pairs = pairs_of(profile.tile, window)
    found = tested(pairs, limits)
    others = list(_others(profile, window, limits, sample))
    able = found.able
    chances = [*found.chances[able].tolist(), *(each.chance for each in others if each.tests)]
    highest = highest_p(chances, limits.level)
    decided = found.decided(highest)
    for i, pair in enumerate(pairs):
        ratio = float(decided.ratio[i])
        yield Drift(
            column=pair.column.name, kind=pair.column.kind,
            rows=int(pair.window.sum()) + pair.window_nulls, scores=found.scores(i, decided),
            suspected=bool(able[i]) and ratio >= 1, drifted=False, score=ratio if able[i] else 0.0,
            violations=pair.violations, reason=None if able[i] else _reason(pair, limits),
        )  # fmt: skip
    for each in others:
        yield each.drift(highest)


def _others(
    profile: Profile, window: Tile, limits: Limits, sample: Array | None
) -> Iterator[Subject]:
    """Vectors, and all numbers together."""
    columns = window.schema.of_kind("vector")
    spreads = spreads_of(profile) if columns else ()
    tiles = zip(window.vectors, profile.tile.vectors, strict=True)
    for column, (now, then), spread in zip(columns, tiles, spreads, strict=True):
        yield vector_subject(column, now, then, spread, limits)
    tests = [correlation_test(profile, window, limits)]
    if sample is not None and len(window.numbers) > 1:
        tests.append(classifier(sample, profile.numbers, least=limits.auc))
    if found := tuple(test for test in tests if test is not None):
        yield Subject(TOGETHER, "vector", window.rows, found, {})


def _reason(pair: Pair, limits: Limits) -> str:
    for counts, nulls, where in (
        (pair.window, pair.window_nulls, "in the window"),
        (pair.reference, pair.reference_nulls, "in the reference"),
    ):
        values = int(counts.sum())
        if values < limits.rows:
            if values + nulls >= limits.rows:
                return f"{values:,} rows with a value {where}: {limits.rows:,} are needed"
            return f"{values:,} rows {where}: {limits.rows:,} are needed"
    return "too few rows"
