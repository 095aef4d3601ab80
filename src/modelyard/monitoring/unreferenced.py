"""Answers of a version without a reference: whether they are numbers at all is seen anyway.

Truth may come for them too: they are held until there is a reference by which they can be read.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Schema
from modelyard.monitoring.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.monitoring.extracting import One

__all__ = ["Before", "answers_alone"]

_NOTHING: Final = Schema(columns=())
_WIDEST: Final = 4096
"""Numbers in one answer; of wider ones only so many are looked at."""
_ROWS: Final = 20_000
_BYTES: Final = 64 << 20


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


class Before:
    """Requests that were answered before there was a reference: the newest, as far as they fit."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, list[One]]] = deque()
        self._rows = self._bytes = 0

    def keep(self, ones: Sequence[One], second: int) -> None:
        """Some that were answered in one second."""
        self._kept.append((second, list(ones)))
        self._count(ones, 1)
        while self._rows > _ROWS or self._bytes > _BYTES:
            self._count(self._kept.popleft()[1], -1)

    def taken(self) -> list[tuple[int, list[One]]]:
        """All of them, by their seconds, oldest first; they are held no more."""
        taken, self._kept = list(self._kept), deque()
        self._rows = self._bytes = 0
        return taken

    def _count(self, ones: Sequence[One], sign: int) -> None:
        for one in ones:
            self._rows += sign * one.rows
            self._bytes += sign * sum(
                a.nbytes for a in (*one.feeds.values(), *one.outputs.values())
            )
