"""Answers of a version without a reference: whether they are numbers at all is seen anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Schema
from modelyard.monitoring.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.monitoring.extracting import One

__all__ = ["answers_alone"]

_NOTHING: Final = Schema(columns=())
_WIDEST: Final = 4096
"""Numbers in one answer; of wider ones only so many are looked at."""


def answers_alone(ones: Sequence[One]) -> Rows | None:
    """What was answered to some requests that can be read together; None: no real numbers.

    Without a schema nobody knows which input is which: there are no columns. Numbers of a row are
    its `scores`, whatever they mean.
    """
    names = [name for name, array in ones[0].outputs.items() if array.dtype.kind == "f"]
    if not names:
        return None
    told = [
        np.concatenate([one.outputs[name].reshape(one.rows, -1) for one in ones])[:, :_WIDEST]
        for name in names
    ]
    scores = np.concatenate(told, axis=1).astype(np.float64, copy=False)
    count = len(scores)
    return Rows(
        schema=_NOTHING, count=count, numbers=np.empty((count, 0)), scores=scores,
        requests=[one.request for one in ones for _ in range(one.rows)],
        clients=[one.client for one in ones for _ in range(one.rows)],
    )  # fmt: skip
