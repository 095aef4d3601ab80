"""How right a version is, told without any truth: from its own probabilities (CBPE).

Of rows that a model predicts with a probability of 0.9, nine of ten are right, if its scores are
calibrated. So the expected confusion matrix is the sum of calibrated probabilities (Bialek and
others, Estimating model performance under covariate shift, 2024). Scores are calibrated on the
reference; each number says when it is not to be believed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Measured
from modelyard.monitoring.quality.classes import Of, of_class
from modelyard.monitoring.quality.intervals import Interval, Z, around
from modelyard.monitoring.quality.ranks import auc_of
from modelyard.monitoring.quality.realized import realized
from modelyard.monitoring.quality.residuals import corrected
from modelyard.monitoring.quality.support import calibrated_rates, outside_of

if TYPE_CHECKING:
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import Tile, TruthTile

__all__ = ["FEW_SCORED", "estimated"]

FEW_SCORED: Final = 100
"""Rows below which nothing is to be believed."""
_SURE: Final = 3.0
"""Standard deviations by which truth must be elsewhere, to say that the estimate is wrong."""
_SLACK: Final = 0.01
"""A smaller distance from the truth than this does no harm."""

_Value = tuple[str, str | None, float, float]
"""Name, label, value, variance."""


def estimated(profile: Profile, window: Tile) -> tuple[Measured, ...]:
    """`accuracy`, `precision`, `recall`, `miss_rate`, `false_alarm_rate`, `f1`, `auc` of a window.

    Of two classes they are the second one's; of more they are plain means over classes, without
    `auc`. An interval is where what is realized on these very rows lies in 95 % of all cases.
    They are not `valid`, with a reason, if the scores are not calibrated on the reference, rows
    are too few, the window holds what the reference did not, or known truth says otherwise.

    Nothing for what is no classification.
    """
    schema, predicted = profile.schema, window.predicted
    if schema.task != "classification" or not schema.classes or window.rows == 0:
        return ()
    if predicted.scored == 0:
        return (_untold("the version gives no probabilities"),)
    if not predicted.expected.sum() > 0:
        return (_untold("no prediction is one of the classes of the reference"),)
    known = profile.tile.truth
    values = _values(profile, window)
    reason = _doubt(profile, window, values[0])
    before = {(each.name, each.label): each.value for each in realized(schema, known)}
    return tuple(
        _measured(value, predicted.scored, reason, before.get(value[:2])) for value in values
    )


def _untold(reason: str) -> Measured:
    return Measured(name="accuracy", value=None, rows=0, estimated=True, valid=False, reason=reason)


def _measured(value: _Value, rows: int, reason: str | None, before: float | None) -> Measured:
    name, label, number, variance = value
    low, high = _bounded(around(number, variance))
    return Measured(
        name=name, value=number, low=low, high=high, rows=rows, estimated=True,
        valid=reason is None, reason=reason, reference=before, label=label,
    )  # fmt: skip


def _bounded(interval: Interval) -> Interval:
    return max(interval[0], 0.0), min(interval[1], 1.0)


# -- values ------------------------------------------------------------------------------------


def _values(profile: Profile, window: Tile) -> list[_Value]:
    classes, known = profile.schema.classes, profile.tile.truth
    expected, spread = corrected(profile, window), window.predicted.expected_square
    rows = float(expected.sum())
    accuracy = float(np.trace(expected)) / rows
    chance = float(np.trace(spread)) / rows**2
    values: list[_Value] = [
        ("accuracy", None, accuracy, chance + _calibration(accuracy, known.rows))
    ]
    if len(classes) == 2:
        values += [
            (name, classes[1], *one)
            for name, one in _of_class(expected, spread, known.confusion, 1).items()
        ]
        area = _auc(window, known, classes[1])
        return [*values, area] if area is not None else values
    each = [_of_class(expected, spread, known.confusion, k) for k in range(len(classes))]
    for name in ("precision", "recall", "miss_rate", "false_alarm_rate", "f1"):
        found = [one[name] for one in each if name in one]
        if found:
            mean = sum(value for value, _ in found) / len(found)
            values.append((name, None, mean, sum(v for _, v in found) / len(found) ** 2))
    return values


def _of_class(
    expected: Array, spread: Array, known: Array, place: int
) -> dict[str, tuple[float, float]]:
    """Value and variance by name.

    Each row of the class or not adds p (1 - p), times how much the measure moves with it (delta
    method); rows that are told to be of the class move it otherwise than the others.
    """
    counts = Of.of(expected, place)
    found = {name: one[0] for name, one in of_class(counts).items() if one is not None}
    own = float(spread[place, place])
    rest = float(spread[:, place].sum()) - own
    seen = Of.of(known, place)
    told, true = counts.hits + counts.alarms, counts.hits + counts.misses
    negative = counts.alarms + counts.others
    moved = {  # by one more true row among those told, among the others; of how many rows; known
        "precision": (1.0, 0.0, told, seen.hits + seen.alarms),
        "recall": (1 - found.get("recall", 0), found.get("recall", 0), true,
                   seen.hits + seen.misses),
        "false_alarm_rate": (1 - found.get("false_alarm_rate", 0),
                             found.get("false_alarm_rate", 0), negative,
                             seen.alarms + seen.others),
        "f1": (2 - found.get("f1", 0), found.get("f1", 0), told + true,
               seen.hits + seen.misses + seen.alarms),
    }  # fmt: skip
    moved["miss_rate"] = moved["recall"]
    return {
        name: (
            value,
            (moved[name][0] ** 2 * own + moved[name][1] ** 2 * rest) / moved[name][2] ** 2
            + _calibration(value, moved[name][3]),
        )
        for name, value in found.items()
    }


def _calibration(value: float, rows: float) -> float:
    """Variance that comes of the reference: its calibration is that of a sample too."""
    return (value * (1 - value) + 1 / (rows + 4)) / (rows + 4) if rows else 0.0


def _auc(window: Tile, known: TruthTile, label: str) -> _Value | None:
    """Each bin of scores holds as many of the second class as bins of the reference did."""
    if known.ranks is None or known.ranks.sum() == 0:
        return None
    rates = calibrated_rates(known.ranks)
    scores = window.predicted.scores[1].astype(np.float64)
    found = auc_of(scores * (1 - rates), scores * rates)
    before = auc_of(known.ranks[0], known.ranks[1])
    if found is None or before is None:
        return None
    # that of the window, and of the reference: DeLong's intervals, made variances again
    variance = sum(((high - low) / 2 / Z) ** 2 for _, (low, high) in (found, before))
    return "auc", label, found[0], variance


# -- whether it is to be believed --------------------------------------------------------------


def _doubt(profile: Profile, window: Tile, accuracy: _Value) -> str | None:
    rows = window.predicted.scored
    if not profile.calibration.maps:
        return "the reference has too little truth to calibrate scores on"
    if rows < FEW_SCORED:
        return f"only {rows} rows"
    wrong = _disagrees(window.truth, accuracy)
    return wrong or outside_of(profile.tile, window)


def _disagrees(truth: TruthTile, accuracy: _Value) -> str | None:
    """What labels say: the only way to see that the same inputs mean something else now."""
    if truth.rows < FEW_SCORED:
        return None
    _, _, value, variance = accuracy
    seen = float(np.trace(truth.confusion)) / truth.rows
    spread = math.sqrt(variance + (seen * (1 - seen) + 1 / truth.rows) / truth.rows)
    if abs(seen - value) <= max(_SURE * spread, _SLACK):
        return None
    return f"the truth of {truth.rows:,} rows says {seen:.1%}: inputs mean something else now"
