"""How the values of a tensor are spread: a histogram with the few numbers people ask for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["BINS", "Spread", "spread_of", "stretches"]

BINS = 40
WHOLE = 1 << 18
"""So many values are looked at, all of a smaller tensor."""
_STRETCHES = 32
_TAIL = 0.001
_MOST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Spread:
    """What a tensor's values are like. Ratios are of the values that were looked at."""

    elements: int
    """Of the tensor."""
    seen: int
    """How many values were looked at: all, or 32 evenly spaced stretches of 8,192."""
    low: float | None
    """The smallest finite value; None if there is none."""
    high: float | None
    """The largest finite value."""
    mean: float | None
    """Of the finite values."""
    std: float | None
    """Standard deviation of the finite values."""
    zeros: float
    """Ratio of values that are exactly zero."""
    nans: float
    """Ratio of values that are no number."""
    infinite: float
    """Ratio of values that are infinite."""
    start: float
    """Where the first bin begins."""
    end: float
    """Where the last bin ends."""
    outside: int
    """Finite values that lie in no bin: a few far ones must not squeeze all others into one."""
    bins: tuple[int, ...]
    """Values in 40 bins of equal width."""

    @property
    def is_sample(self) -> bool:
        """Whether not all values were looked at."""
        return self.seen < self.elements


def stretches(elements: int) -> list[tuple[int, int]]:
    """Which values are looked at: from and to, as flat positions."""
    if elements <= WHOLE:
        return [(0, elements)] if elements else []
    length = WHOLE // _STRETCHES
    last = elements - length
    return [
        (start, start + length)
        for start in (round(i * last / (_STRETCHES - 1)) for i in range(_STRETCHES))
    ]


def spread_of(values: np.ndarray[Any, Any], elements: int) -> Spread:
    """The spread of a flat array, which holds all or some of a tensor's values.

    Complex numbers are told by their absolute value.
    """
    flat = np.abs(values) if values.dtype.kind == "c" else values
    flat = flat.astype(np.float64, copy=False)
    finite = flat[np.isfinite(flat)]
    seen = len(flat)
    ratios = {
        "zeros": _ratio(int(np.count_nonzero(flat == 0)), seen),
        "nans": _ratio(int(np.count_nonzero(np.isnan(flat))), seen),
        "infinite": _ratio(int(np.count_nonzero(np.isinf(flat))), seen),
    }
    if not len(finite):
        return Spread(
            elements, seen, None, None, None, None, **ratios, start=0.0, end=0.0, outside=0,
            bins=(0,) * BINS,
        )  # fmt: skip
    # in units of the largest value nothing overflows, and nothing is too small to be divided
    unit = float(np.abs(finite).max()) or 1.0
    scaled = finite / unit
    low, high = float(scaled.min()), float(scaled.max())
    start, end = _range(scaled, low, high)
    counts, _ = np.histogram(scaled, bins=BINS, range=(start, end))
    return Spread(
        elements, seen, low * unit, high * unit, float(scaled.mean()) * unit,
        float(scaled.std()) * unit, **ratios, start=max(start * unit, -_MOST),
        end=min(end * unit, _MOST), outside=len(finite) - int(counts.sum()),
        bins=tuple(counts.tolist()),
    )  # fmt: skip


def _range(scaled: np.ndarray[Any, Any], low: float, high: float) -> tuple[float, float]:
    """All values, unless a thousandth at each end takes most of the room."""
    inner_low, inner_high = (float(v) for v in np.quantile(scaled, (_TAIL, 1 - _TAIL)))
    if 1e-12 < 3 * (inner_high - inner_low) < high - low:
        return inner_low, inner_high
    if high - low <= 1e-12:  # one value: it stands in the middle
        return low - 0.5, low + 0.5
    return low, high


def _ratio(count: int, of: int) -> float:
    return count / of if of else 0.0
