"""Leakage of a window: what answers that are kept say of the rows that came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.quality.finding import opened
from modelyard.monitoring.quality.leakage import leakage
from modelyard.registry.watching import answers as kept

if TYPE_CHECKING:
    from modelyard.core.monitoring import Measured
    from modelyard.monitoring.reference import Profile
    from modelyard.registry.house import House

__all__ = ["leakage_of"]

_MOST: Final = 100_000
"""Rows that are looked at, the newest."""


def leakage_of(
    house: House, deployment_id: int, version: tuple[int, int], profile: Profile,
    since: float, until: float,
) -> tuple[Measured, ...]:  # fmt: skip
    """`duplicates`, `near_duplicates`, `membership_exposure` of a version's traffic in a window.

    Args:
        version: Id of the model, and number.
        since: Seconds since 1970; so is `until`. Of more than 100,000 rows the newest count.
    """
    wanted, rows = [], 0
    for head in kept.heads(house, deployment_id, since):
        if (head.model_id, head.number) == version and head.first < until and rows < _MOST:
            wanted.append(head.id)
            rows += head.rows
    seen, sure = [], []
    for _, answers in opened(house, wanted):
        if answers.seen is None:
            continue
        within = (answers.times >= since) & (answers.times < until)
        confidence = answers.confidence()
        seen.append(answers.seen[within])
        sure.append(np.full(len(seen[-1]), np.nan) if confidence is None else confidence[within])
    if not seen:
        return ()
    return leakage(profile, np.concatenate(seen), np.concatenate(sure))
