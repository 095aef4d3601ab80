"""Whether groups are treated alike: shares of each, the widest gap, and whether it is real."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import GroupGap
from modelyard.monitoring.quality.intervals import (
    Interval,
    around,
    katz,
    share_gap,
    wilson,
    z_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import GroupTile, Tile

__all__ = ["OTHERS", "Limits", "fairness", "unfairness"]

OTHERS: Final = "other"
"""What the rest of groups is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is still taken for fair."""

    selection_rate_ratio: float = 0.8
    """The least that a group's rate may be of another's: the four-fifths rule of the EEOC."""
    gap: float = 0.1
    """The most that shares of two groups may differ."""
    error_ratio: float = 1.5
    """The most that a group's error may be of another's."""
    least: int = 30
    """Rows below which a group is shown, but not compared."""


_Share = tuple[float, float]
"""Hits and rows."""


def fairness(schema: Schema, tile: Tile, limits: Limits | None = None) -> tuple[GroupGap, ...]:
    """The gaps between groups of each watched column.

    Of two classes, for the second one: `selection_rate_ratio` (the lowest share of rows told to be
    of it by the highest), and where the truth is known `equal_opportunity_gap` (of recalls),
    `equalized_odds_gap` (the wider one of recalls and false-alarm rates). Of all classes
    `accuracy_gap`. Without truth these are estimated from calibrated probabilities. Of numbers:
    `mean_gap` (of predictions, in their standard deviations), `bias_gap` (the same of signed
    errors), `error_ratio` (of mean absolute errors).

    A gap fails if the interval of its widest pair lies beyond the limit as a whole; intervals are
    as wide as the number of pairs asks for (Bonferroni). Groups of fewer than `limits.least` rows
    are shown without being compared. So the truth counts as known when two groups have as many
    rows of it: until then gaps are estimated.
    """
    limits = limits or Limits()
    gaps: list[GroupGap] = []
    for name, groups in tile.groups.items():
        values = [*groups.values, OTHERS]
        if schema.task == "classification":
            gaps += _of_classes(schema, name, values, groups, tile.truth.groups.get(name), limits)
        elif schema.values is not None or float(groups.sums.sum()):
            gaps += _of_numbers(name, values, groups, tile.truth.groups.get(name), limits)
    return tuple(gaps)


def unfairness(gap: GroupGap) -> float | None:
    """How far a measure is from fair, whichever it is: 0 is fair, more is less fair.

    Of `selection_rate_ratio` it is 1 - value, of `error_ratio` value - 1, else the value.
    """
    if gap.value is None:
        return None
    if gap.metric == "selection_rate_ratio":
        return 1.0 - gap.value
    return gap.value - 1.0 if gap.metric == "error_ratio" else gap.value


# -- classes -----------------------------------------------------------------------------------


def _of_classes(
    schema: Schema, column: str, values: Sequence[str], groups: GroupTile, truth: Array | None,
    limits: Limits,
) -> list[GroupGap]:  # fmt: skip
    gaps: list[GroupGap] = []
    if len(schema.classes) == 2:
        rates = _by_group(values, groups.labels[:, 1], groups.rows)
        gaps.append(_ratio("selection_rate_ratio", column, rates, limits))
    is_known = truth is not None and _is_known(truth, groups.expected, limits.least)
    confusion = truth if truth is not None and is_known else groups.expected
    if not confusion.sum() > 0:
        return gaps
    if len(schema.classes) == 2:
        recall = _by_group(values, confusion[:, 1, 1], confusion[:, :, 1].sum(axis=1))
        alarms = _by_group(values, confusion[:, 1, 0], confusion[:, :, 0].sum(axis=1))
        opportunity = _gap("equal_opportunity_gap", column, recall, limits, not is_known)
        other = _gap("equalized_odds_gap", column, alarms, limits, not is_known, low_is_best=True)
        wider = other if (other.value or 0) > (opportunity.value or 0) else opportunity
        gaps += [opportunity, _renamed(wider, "equalized_odds_gap", opportunity, other)]
    right = np.trace(confusion, axis1=1, axis2=2)
    accuracy = _by_group(values, right, confusion.sum(axis=(1, 2)))
    gaps.append(_gap("accuracy_gap", column, accuracy, limits, not is_known))
    return gaps


def _is_known(truth: Array, expected: Array, least: int) -> bool:
    """Whether to compare by truth: enough of it, or there is nothing else to tell from."""
    enough = np.count_nonzero(truth.sum(axis=(1, 2)) >= least) >= 2
    return bool(enough or not expected.sum() > 0)


def _by_group(values: Sequence[str], hits: Array, rows: Array) -> dict[str, _Share]:
    """Of groups that were seen."""
    pairs = zip(values, hits.tolist(), rows.tolist(), strict=True)
    return {value: (float(hit), float(count)) for value, hit, count in pairs if count > 0}


def _renamed(wider: GroupGap, metric: str, one: GroupGap, other: GroupGap) -> GroupGap:
    return GroupGap(
        metric=metric, column=wider.column, value=wider.value, worst=wider.worst,
        best=wider.best, groups=wider.groups, fails=one.fails or other.fails,
        estimated=wider.estimated,
    )  # fmt: skip


def _shown(shares: Mapping[str, _Share]) -> dict[str, tuple[float, float, float, int]]:
    return {
        name: (hits / rows, *wilson(hits, rows), round(rows))
        for name, (hits, rows) in shares.items()
    }


def _compared(shares: Mapping[str, _Share], least: int) -> tuple[str, str, float] | None:
    """Lowest, highest, and the z of intervals; None if there is nothing to compare."""
    many = {name: hits / rows for name, (hits, rows) in shares.items() if rows >= least}
    if len(many) < 2:
        return None
    ordered = sorted(many, key=lambda name: many[name])
    return ordered[0], ordered[-1], z_of(len(many) * (len(many) - 1) // 2)


def _ratio(metric: str, column: str, shares: dict[str, _Share], limits: Limits) -> GroupGap:
    found = _compared(shares, limits.least)
    if found is None:
        return _nothing(metric, column, _shown(shares))
    low, high, z = found
    (hits, rows), (most, others) = shares[low], shares[high]
    value = (hits / rows) / (most / others) if most else 1.0
    surely = katz(hits, rows, most, others, z)[1] < limits.selection_rate_ratio
    return GroupGap(
        metric=metric, column=column, value=value, worst=low, best=high, groups=_shown(shares),
        fails=surely and most > 0,
    )  # fmt: skip


def _gap(
    metric: str, column: str, shares: dict[str, _Share], limits: Limits, estimated: bool,
    *, low_is_best: bool = False,
) -> GroupGap:  # fmt: skip
    found = _compared(shares, limits.least)
    if found is None:
        return _nothing(metric, column, _shown(shares), estimated=estimated)
    low, high, z = found
    lowest, highest = shares[low], shares[high]
    value = highest[0] / highest[1] - lowest[0] / lowest[1]
    worst, best = (high, low) if low_is_best else (low, high)
    return GroupGap(
        metric=metric, column=column, value=value, worst=worst, best=best,
        groups=_shown(shares), fails=share_gap(*highest, *lowest, z)[0] > limits.gap,
        estimated=estimated,
    )  # fmt: skip


def _nothing(
    metric: str, column: str, groups: Mapping[str, tuple[float, float, float, int]],
    *, estimated: bool = False,
) -> GroupGap:  # fmt: skip
    return GroupGap(
        metric=metric, column=column, value=None, worst=None, best=None, groups=dict(groups),
        fails=False, estimated=estimated,
    )  # fmt: skip


# -- numbers -----------------------------------------------------------------------------------

_Mean = tuple[float, float, float]
"""Mean, variance of it, rows."""


def _of_numbers(
    column: str, values: Sequence[str], groups: GroupTile, truth: Array | None, limits: Limits
) -> list[GroupGap]:
    rows = groups.rows.astype(np.float64)
    total = float(rows.sum())
    if total == 0:
        return []
    mean = float(groups.sums.sum()) / total
    deviation = math.sqrt(max(float(groups.squares.sum()) / total - mean * mean, 0.0))
    means = _means(values, rows, groups.sums, groups.squares)
    gaps = [_mean_gap("mean_gap", column, means, deviation, limits)]
    if truth is not None and truth[:, 0].sum() > 0:
        count, error, absolute, square = truth[:, 0], truth[:, 1], truth[:, 2], truth[:, 3]
        y_mean = float(truth[:, 4].sum() / count.sum())
        scale = math.sqrt(max(float(truth[:, 5].sum() / count.sum()) - y_mean * y_mean, 0.0))
        gaps += [
            _mean_gap("bias_gap", column, _means(values, count, error, square), scale, limits),
            _error_ratio(column, _means(values, count, absolute, square), limits),
        ]
    return gaps


def _means(values: Sequence[str], rows: Array, sums: Array, squares: Array) -> dict[str, _Mean]:
    found = {}
    for name, count, total, square in zip(
        values, rows.tolist(), sums.tolist(), squares.tolist(), strict=True
    ):
        if count > 0:
            mean = total / count
            variance = max(square - count * mean * mean, 0.0) / max(count - 1, 1) / count
            found[name] = (mean, variance, count)
    return found


def _extremes(means: Mapping[str, _Mean], least: int) -> tuple[str, str, float] | None:
    return _compared({name: (m * rows, rows) for name, (m, _, rows) in means.items()}, least)


def _shown_means(means: Mapping[str, _Mean]) -> dict[str, tuple[float, float, float, int]]:
    return {name: (m, *around(m, v), round(rows)) for name, (m, v, rows) in means.items()}


def _mean_gap(
    metric: str, column: str, means: dict[str, _Mean], scale: float, limits: Limits
) -> GroupGap:
    found = _extremes(means, limits.least)
    if found is None or scale == 0:
        return _nothing(metric, column, _shown_means(means))
    low, high, z = found
    gap, variance = means[high][0] - means[low][0], means[high][1] + means[low][1]
    surely: Interval = around(gap / scale, variance / scale**2, z)
    worst, best = (low, high) if metric == "mean_gap" else _by_size(low, high, means)
    return GroupGap(
        metric=metric, column=column, value=gap / scale, worst=worst, best=best,
        groups=_shown_means(means), fails=surely[0] > limits.gap,
    )  # fmt: skip


def _by_size(low: str, high: str, means: Mapping[str, _Mean]) -> tuple[str, str]:
    """The one that is further from zero is the worst."""
    return (low, high) if abs(means[low][0]) > abs(means[high][0]) else (high, low)


def _error_ratio(column: str, means: dict[str, _Mean], limits: Limits) -> GroupGap:
    found = _extremes(means, limits.least)
    if found is None or means[found[0]][0] <= 0:
        return _nothing("error_ratio", column, _shown_means(means))
    low, high, z = found
    ratio = means[high][0] / means[low][0]
    # of the logarithm of a ratio, by the delta method
    spread = math.sqrt(sum(means[name][1] / means[name][0] ** 2 for name in (low, high)))
    return GroupGap(
        metric="error_ratio", column=column, value=ratio, worst=high, best=low,
        groups=_shown_means(means), fails=ratio * math.exp(-z * spread) > limits.error_ratio,
    )  # fmt: skip
