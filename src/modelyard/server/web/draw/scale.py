"""Round numbers for axes."""

from __future__ import annotations

import math

__all__ = ["SMALLEST", "ticks"]

SMALLEST = 1e-250
"""Numbers that are nearer than this can't be told apart in a picture."""


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from below `low` to above `high`, two at least."""
    if high - low <= max(abs(low), abs(high)) * 1e-12 or high - low < SMALLEST:
        spread = max(abs(low) * 0.1, 1.0 if abs(low) < SMALLEST else 0.0)
        low, high = low - spread, high + spread
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{at * step:.12g}") for at in range(start, max(end, start + 1) + 1)]
