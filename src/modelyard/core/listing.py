"""Names in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["listed"]


def listed(names: Sequence[str], most: int) -> str:
    """`a, b, c`; of more than so many the first ones: `a, b, ...`."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
