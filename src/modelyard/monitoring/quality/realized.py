"""How right a version was, of rows whose truth is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Measured
from modelyard.monitoring.quality.classes import NAMES, Found, Of, macro, of_class
from modelyard.monitoring.quality.intervals import Z, around, wilson
from modelyard.monitoring.quality.ranks import auc_of

if TYPE_CHECKING:
    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.quality.intervals import Interval
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import TruthTile

__all__ = ["FEW", "realized"]

FEW: Final = 30
"""Rows below which a measure is not to be believed."""
_SHOWN: Final = 10
"""Classes that are told of one by one, worst first."""

_Value = tuple[str, str | None, float, "Interval | None", int]
"""Name, label, value, interval, rows."""


def realized(
    schema: Schema, truth: TruthTile, reference: TruthTile | None = None
) -> tuple[Measured, ...]:
    """What is measured, each with its interval of 95 % and what it is in the reference.

    Classifications: `accuracy`, `precision`, `recall`, `miss_rate` (FN / (FN + TP)),
    `false_alarm_rate` (FP / (FP + TN)), `f1`, `auc`, `calibration_error`, `bias` (predicted less
    true rate). Of two classes they are the second one's; of more they are plain means over
    classes, followed by the worst classes one by one. Numbers: `bias` (mean of predicted less
    true), `mae`, `rmse`, `r2`.

    Nothing if no truth is known.
    """
    found = _values(schema, truth)
    before = (
        {(name, label): value for name, label, value, *_ in _values(schema, reference)}
        if reference is not None else {}
    )  # fmt: skip
    return tuple(
        Measured(
            name=name,
            value=value,
            low=None if interval is None else interval[0],
            high=None if interval is None else interval[1],
            rows=rows,
            valid=rows >= FEW,
            reason=None if rows >= FEW else f"only {rows} rows",
            reference=before.get((name, label)),
            label=label,
        )
        for name, label, value, interval, rows in found
    )


def _values(schema: Schema, truth: TruthTile) -> list[_Value]:
    if truth.rows == 0:
        return []
    if truth.errors is not None and truth.errors[0] > 0:
        return list(_of_numbers(truth.errors))
    if schema.task != "classification" or not schema.classes:
        return []
    return _of_classes(schema, truth)


# -- classes -----------------------------------------------------------------------------------


def _of_classes(schema: Schema, truth: TruthTile) -> list[_Value]:
    confusion, rows = truth.confusion, truth.rows
    right = float(np.trace(confusion))
    values: list[_Value] = [("accuracy", None, right / rows, wilson(right, rows), rows)]
    if len(schema.classes) == 2:
        told = of_class(Of.of(confusion, 1))
        values += _told(told, schema.classes[1], rows)
        ranks = truth.ranks
        if ranks is not None and (area := auc_of(ranks[0], ranks[1])) is not None:
            values.append(("auc", schema.classes[1], *area, int(ranks.sum())))
    else:
        each = [of_class(Of.of(confusion, place)) for place in range(len(schema.classes))]
        values += _told(macro(each), None, rows)
        for place in _worst(each):
            of_it = int(confusion[:, place].sum())
            values += _told(each[place], schema.classes[place], of_it)
    error = _calibration_error(truth.calibration)
    if error is not None:
        values.append(("calibration_error", None, *error, int(truth.calibration[:, 0].sum())))
    values.append(_bias(schema, confusion))
    return values


def _told(found: Found, label: str | None, rows: int) -> list[_Value]:
    return [(name, label, *one, rows) for name in NAMES if (one := found[name]) is not None]


def _worst(found: list[Found]) -> list[int]:
    """Places of classes that occur, lowest F1 first."""
    scores = {place: each["f1"] for place, each in enumerate(found)}
    known = {place: score[0] for place, score in scores.items() if score is not None}
    return sorted(known, key=lambda place: known[place])[:_SHOWN]


def _bias(schema: Schema, confusion: Array) -> _Value:
    """Predicted less true rate: of the second of two classes, else of the class with the most."""
    rows = float(confusion.sum())
    gaps = confusion.sum(axis=1) - confusion.sum(axis=0)
    place = 1 if len(schema.classes) == 2 else int(np.abs(gaps).argmax())
    counts = Of.of(confusion, place)
    if rows == 0:
        return "bias", schema.classes[place], 0.0, (-1.0, 1.0), 0
    value = (counts.alarms - counts.misses) / rows
    # two rates of the same rows: what differs counts (Agresti and Min, 2005, adds four halves)
    more = rows + 2
    variance = counts.alarms + counts.misses + 1 - (counts.alarms - counts.misses) ** 2 / more
    interval = around(value * rows / more, variance / more**2)
    return "bias", schema.classes[place], value, interval, int(rows)


def _calibration_error(bins: Array) -> tuple[float, Interval] | None:
    """Expected calibration error over 15 bins of the predicted class's probability.

    Chance alone makes it larger than zero; the interval's low end takes that off, so it begins at
    zero for a version that is calibrated.
    """
    known = bins[bins[:, 0] > 0]
    rows = float(known[:, 0].sum())
    if rows == 0:
        return None
    said, right = known[:, 1] / known[:, 0], known[:, 2] / known[:, 0]
    share = known[:, 0] / rows
    value = float(share @ np.abs(right - said))
    # what was said, held against what was seen, and never quite certain
    p = (known[:, 2] + 0.5) / (known[:, 0] + 1)
    deviation = share * np.sqrt(p * (1 - p) / known[:, 0])
    half = Z * math.sqrt(float(deviation @ deviation))
    by_chance = math.sqrt(2 / math.pi) * float(deviation.sum())
    return value, (max(value - by_chance - half, 0.0), min(value + half, 1.0))


# -- numbers -----------------------------------------------------------------------------------


def _of_numbers(errors: Array) -> list[_Value]:
    """[rows, sums of e, |e|, e squared, y, y squared, e to the fourth]."""
    count, e, absolute, square, y, y_square, fourth = (float(value) for value in errors)
    rows = int(count)
    free = max(count - 1, 1.0)
    mean, mae, mse = e / count, absolute / count, square / count
    spread = max(square - count * mean * mean, 0.0) / free
    values: list[_Value] = [
        ("bias", None, mean, around(mean, spread / count), rows),
        ("mae", None, mae, _positive(mae, max(mse - mae * mae, 0.0) / free), rows),
    ]
    of_squares = max(fourth / count - mse * mse, 0.0) / free
    low, high = _positive(mse, of_squares)
    values.append(("rmse", None, math.sqrt(mse), (math.sqrt(low), math.sqrt(high)), rows))
    variance = y_square / count - (y / count) ** 2
    if count > 2 and variance > 1e-12 * max(y_square / count, 1e-300):
        values.append(("r2", None, *_r2(mse, variance, fourth / count, count), rows))
    return values


def _positive(value: float, variance: float) -> Interval:
    low, high = around(value, variance)
    return max(low, 0.0), high


def _r2(mse: float, variance: float, fourth: float, rows: float) -> tuple[float, Interval]:
    """The interval is of log(1 - R2), by the delta method.

    For errors that are normal it is Olkin and Finn's (Correlations redux, 1995); theirs are taken
    as heavy-tailed as they are.
    """
    left = mse / variance
    if left <= 0:
        return 1.0, (1.0, 1.0)
    tails = max(fourth / (mse * mse) - 1, 0.0)
    spread = math.sqrt(max(tails + 2 - 4 * min(left, 1.0), tails / 2, 0.0) / rows)
    return 1 - left, (1 - left * math.exp(Z * spread), 1 - left * math.exp(-Z * spread))
