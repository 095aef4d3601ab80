"""What a version gives away of the rows it was made with: how many of them come back as traffic,
and how much surer it is of them than of others.

Who asks about the very rows of a training set gets better answers than others will (a test set
that leaked looks like this), or tries to find out who is in it (membership inference).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Measured
from modelyard.monitoring.hashing import row_hashes
from modelyard.monitoring.quality.intervals import wilson
from modelyard.monitoring.quality.ranks import auc_of

if TYPE_CHECKING:
    from modelyard.monitoring.reference import Profile
    from modelyard.monitoring.rows import Array, Rows

__all__ = ["LOOKED", "NEAR", "NEAR_LOOKED", "SAME", "Known", "leakage"]

LOOKED: Final = 1
"""Whether the row is one of the reference's is known: of large references only a part is."""
SAME: Final = 2
"""It is one, with the same values."""
NEAR_LOOKED: Final = 4
"""It was held against the sample of the reference."""
NEAR: Final = 8
"""It is closer to one of the sample's rows than those are to one another."""

_LARGE: Final = 1 << 20
"""Numbers of pictures or embeddings in a batch, beyond which it is left out: hashing takes time."""
_SOME: Final = 8
"""Rows of a batch that are held against the sample."""
_CLOSE: Final = 0.1
"""Of the distance that neighbours in the sample have from one another."""
_LEAST: Final = 200
"""Rows below which nothing is told."""
_FEW: Final = 50
_BINS: Final = 200


class Known:
    """What is known of a reference's rows, ready to be looked up."""

    def __init__(self, profile: Profile) -> None:
        self._hashes = profile.hashes
        self._limit = np.uint64(profile.hash_limit)
        scale = np.sqrt(np.diag(profile.covariance))
        self._wide = scale > 0
        self._scale = scale[self._wide]
        self._sample = np.zeros((0, 0))
        self._close = 0.0
        if len(profile.numbers) >= _FEW and self._wide.sum() > 1:
            self._sample = np.nan_to_num(profile.numbers[:, self._wide] / self._scale)
            self._close = _CLOSE * _usual(self._sample)

    def seen(self, rows: Rows, *, near: bool = False) -> Array:
        """uint8 [rows]: the flags above.

        Args:
            near: Whether the first eight rows are held against the sample, which takes a third of
                a millisecond.
        """
        found = np.zeros(rows.count, np.uint8)
        large = sum(vectors.size for vectors in rows.vectors) > _LARGE
        if not len(self._hashes) or not rows.count or large:
            return found
        hashes = row_hashes(rows)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        found[hashes <= self._limit] = LOOKED
        found[self._hashes[places] == hashes] |= SAME
        if near and self._close > 0:
            some = np.nan_to_num(rows.numbers[:_SOME][:, self._wide] / self._scale)
            close = _distances(some, self._sample).min(axis=1) < self._close
            found[: len(some)] |= np.where(close, NEAR_LOOKED | NEAR, NEAR_LOOKED).astype(np.uint8)
        return found


def _distances(rows: Array, sample: Array) -> Array:
    """float64 [rows, sample]."""
    squares = (rows**2).sum(axis=1)[:, None] + (sample**2).sum(axis=1) - 2 * rows @ sample.T
    apart: Array = np.sqrt(np.maximum(squares, 0.0))
    return apart


def _usual(sample: Array) -> float:
    """How far neighbours in the sample are from one another, in the median of some of them."""
    some = sample[:100]
    apart = _distances(some, sample)
    apart[np.arange(len(some)), np.arange(len(some))] = np.inf
    return float(np.median(apart.min(axis=1)))


def leakage(profile: Profile, seen: Array, confidence: Array | None) -> tuple[Measured, ...]:
    """What is told of rows of traffic.

    `duplicates`: the share that are rows of the reference, with the same values; `near_duplicates`:
    the share close to one, scaled up from the sample of the reference (so it is rough if that was
    large); `membership_exposure`: the chance that the version is surer of one of its own rows than
    of another one (the area under the ROC curve of a guess by confidence): 0.5 gives nothing
    away. Rows of the reference that came as traffic are its own; without such, its sample stands
    for them.

    Args:
        seen: uint8 [rows], as `Known.seen` gives it.
        confidence: float64 [rows]: the highest probability; NaN: none.
    """
    if len(seen) < _LEAST:
        return ()
    told: list[Measured] = []
    looked = int(np.count_nonzero(seen & LOOKED))
    same = int(np.count_nonzero(seen & SAME))
    if looked >= _FEW:
        low, high = wilson(same, looked)
        told.append(_measured("duplicates", same / looked, low, high, looked))
    held = int(np.count_nonzero(seen & NEAR_LOOKED))
    if held >= _FEW and len(profile.numbers):
        scale = max(profile.tile.rows / len(profile.numbers), 1.0)
        near = int(np.count_nonzero(seen & NEAR))
        low, high = wilson(near, held)
        told.append(_measured("near_duplicates", min(near / held * scale, 1.0),
                              min(low * scale, 1.0), min(high * scale, 1.0), held))  # fmt: skip
    exposure = None if confidence is None else _exposure(profile, seen, confidence)
    return (*told, exposure) if exposure is not None else tuple(told)


def _exposure(profile: Profile, seen: Array, confidence: Array) -> Measured | None:
    known = np.isfinite(confidence)
    own = confidence[known & ((seen & (SAME | NEAR)) > 0)]
    others = confidence[known & ((seen & LOOKED) > 0) & ((seen & (SAME | NEAR)) == 0)]
    reason = None
    if len(own) < _FEW:
        own = profile.confidence[np.isfinite(profile.confidence)].astype(np.float64)
        reason = "the sample of the reference stands for rows that it was made with"
    if len(own) < _FEW or len(others) < _FEW:
        return None
    found = auc_of(_counts(others), _counts(own))
    if found is None:
        return None
    value, (low, high) = found
    return _measured("membership_exposure", value, low, high, len(own) + len(others), reason)


def _counts(confidence: Array) -> Array:
    return np.histogram(np.clip(confidence, 0, 1), _BINS, (0.0, 1.0))[0]


def _measured(
    name: str, value: float, low: float, high: float, rows: int, reason: str | None = None
) -> Measured:
    return Measured(
        name=name, value=value, low=low, high=high, rows=rows, estimated=True, reason=reason
    )
