"""Ranges of hyper-parameters with the numbers to begin with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from modelyard.optimization.passes.interface import Range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.interface import Option

__all__ = ["Spaces", "count", "log", "share", "span"]

Spaces = Callable[[int, int], "Mapping[str, Option]"]
"""Options by name, for so many columns and rows to learn from."""


def span(
    low: float, high: float, first: float, *also: float, log: bool = False, whole: bool = False
) -> Range:
    """With the numbers to begin with, as far as the bounds allow."""
    first, *others = (
        float(f"{min(max(each, low), high):.4g}") if not whole else int(min(max(each, low), high))
        for each in (first, *also)
    )
    return Range(low, high, first, log=log, whole=whole, also=tuple(others))


def log(low: float, high: float, first: float, *also: float) -> Range:
    """Of which the order of magnitude matters."""
    return span(low, high, first, *also, log=True)


def count(low: int, high: int, first: int, *also: int, log: bool = True) -> Range:
    """Whole numbers."""
    return span(low, max(low, high), first, *also, log=log, whole=True)


def share(low: float, *also: float) -> Range:
    """Up to all, which comes first."""
    return span(low, 1.0, 1.0, *also)
