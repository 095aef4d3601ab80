"""What a confusion matrix says. Of counts, or of what is expected to be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.monitoring.quality.intervals import Interval, mean_of, minus, wilson

if TYPE_CHECKING:
    from modelyard.monitoring.rows import Array

__all__ = ["NAMES", "Found", "Of", "macro", "of_class"]

NAMES = ("precision", "recall", "miss_rate", "false_alarm_rate", "f1")


@dataclass(frozen=True, slots=True)
class Of:
    """One class against all others."""

    hits: float
    """Rows of the class that were told to be."""
    misses: float
    alarms: float
    """Rows of others that were told to be of the class."""
    others: float
    """Rows of others that were told to be so."""

    @classmethod
    def of(cls, confusion: Array, place: int) -> Of:
        """[predicted, true]."""
        hits = float(confusion[place, place])
        misses = float(confusion[:, place].sum()) - hits
        alarms = float(confusion[place].sum()) - hits
        return cls(hits, misses, alarms, float(confusion.sum()) - hits - misses - alarms)


Found = dict[str, tuple[float, Interval] | None]
"""By name: value and interval; None if there was nothing to tell it from."""


def of_class(counts: Of) -> Found:
    """Precision and so on of one class, each with Wilson's interval."""
    told, true = counts.hits + counts.alarms, counts.hits + counts.misses
    negative = counts.alarms + counts.others
    union = counts.hits + counts.misses + counts.alarms
    recall = _share(counts.hits, true)
    return {
        "precision": _share(counts.hits, told),
        "recall": recall,
        "miss_rate": None if recall is None else (1 - recall[0], minus(recall[1])),
        "false_alarm_rate": _share(counts.alarms, negative),
        # F1 = 2J / (1 + J) grows with Jaccard's share J, and with it its interval
        "f1": _f1(_share(counts.hits, union)),
    }


def macro(found: list[Found]) -> Found:
    """The plain mean over classes; a class that nothing can be said of is left out.

    The intervals take classes for independent of one another, which holds for recall, and nearly
    for the others.
    """
    means: Found = {}
    for name in NAMES:
        known = [each[name] for each in found]
        values = [value for value in known if value is not None]
        means[name] = (
            (sum(v for v, _ in values) / len(values),
             mean_of([v for v, _ in values], [i for _, i in values]))
            if values else None
        )  # fmt: skip
    return means


def _share(hits: float, rows: float) -> tuple[float, Interval] | None:
    return (hits / rows, wilson(hits, rows)) if rows > 0 else None


def _f1(share: tuple[float, Interval] | None) -> tuple[float, Interval] | None:
    if share is None:
        return None
    value, (low, high) = share
    return 2 * value / (1 + value), (2 * low / (1 + low), 2 * high / (1 + high))
