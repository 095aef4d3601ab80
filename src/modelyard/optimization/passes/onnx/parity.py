"""Whether a converted model says what the one says that it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    Array = np.ndarray[Any, Any]

__all__ = ["Parity", "compared"]

Json = Any


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two models agree on the same rows."""

    rows: int
    max_difference: float
    """The largest of all numbers, relative to the largest number of its output, if that is > 1."""
    labels_equal: float | None
    """Share of rows with the same label; None without labels."""

    def encode(self) -> dict[str, Json]:
        """As `saved` keeps it."""
        return {
            "rows": self.rows, "max_difference": self.max_difference,
            "labels_equal": self.labels_equal,
        }  # fmt: skip

    def refuse(self, tolerance: float) -> None:
        """Unsupported `not-improvable` if they differ. One label in 1,000 may: ties."""
        few = self.labels_equal is not None and self.labels_equal < 0.999
        if few or not self.max_difference <= tolerance:
            labels = "" if self.labels_equal is None else f", {self.labels_equal:.2%} equal labels"
            raise Unsupported(
                "not-improvable",
                f"the converted model differs by {self.max_difference:.2g} on {self.rows} rows"
                f"{labels}: it is refused",
                hint=f"a larger tolerance than {tolerance:g}, if that is good enough",
            )  # fmt: skip


def compared(before: Mapping[str, Array], after: Mapping[str, Array]) -> Parity:
    """Outputs of two models for the same rows. Unsupported: `not-improvable`: one is missing."""
    largest, equal, rows = 0.0, None, 0
    for name, ours in before.items():
        theirs = after.get(name)
        if theirs is None or theirs.size != ours.size:
            raise Unsupported("not-improvable", f"the converted model does not give {name!r}")
        rows = len(ours) if ours.ndim else 1
        theirs = theirs.reshape(ours.shape)
        if ours.dtype.kind == "f":
            largest = max(largest, _difference(ours, theirs))
        else:
            same = float(np.mean(_texts(ours) == _texts(theirs))) if ours.size else 1.0
            equal = same if equal is None else min(equal, same)
    return Parity(rows, largest, equal)


def _difference(ours: Array, theirs: Array) -> float:
    one, other = ours.astype(np.float64), theirs.astype(np.float64)
    if (np.isfinite(one) != np.isfinite(other)).any():
        return float("inf")
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    if same.all():
        return 0.0
    found = np.abs(np.subtract(one, other, where=~same, out=np.zeros_like(one)))[~same]
    if not np.isfinite(found).all():
        return float("inf")
    finite = np.abs(one[np.isfinite(one)])
    return float(found.max() / max(1.0, float(finite.max(initial=0.0))))


def _texts(values: Array) -> Array:
    """1, 1.0 and "1" are one label."""
    if values.dtype.kind == "f" and (np.isfinite(values) & (np.rint(values) == values)).all():
        return values.astype(np.int64).astype(str)
    if values.dtype.kind in "iub":
        return values.astype(np.int64).astype(str)
    return values.astype(str)
