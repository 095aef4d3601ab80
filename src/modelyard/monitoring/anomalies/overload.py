"""More is asked than can be answered in time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from modelyard.monitoring.anomalies.findings import Finding, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.monitoring.rows import Asked

__all__ = ["REJECTED", "Overload"]

REJECTED: Final = frozenset({"overloaded", "deadline"})
"""Kinds of errors that say: not now."""
_WINDOW: Final = 5
_LEAST, _SHARE = 10, 0.05
"""Requests, and their share, that were not answered in time."""
_ANSWERED, _WAITING, _LONG = 50, 0.8, 0.25
"""So many answers that waited for this share of their time and so many seconds in the mean."""


class Overload:
    """Of one version, or of requests that were sent away before one was known."""

    def __init__(self, number: int | None) -> None:
        self._number = number
        self._sums = Seconds(_WINDOW + 2, 5)
        self._kinds: Counter[str] = Counter()
        self._fresh = 0

    def asked(self, asked: Asked) -> None:
        rejected = 0
        for kind, count in asked.outcomes.items():
            if kind in REJECTED:
                rejected += count
                self._kinds[kind] += count
        requests = sum(asked.outcomes.values())
        queue = float(asked.queue.sum()) / 1e9 if len(asked.queue) else 0.0
        total = float(asked.total.sum()) / 1e9 if len(asked.total) else 0.0
        self._fresh += rejected
        self._sums.add(asked.second, requests, rejected, len(asked.total), queue, total)

    def refused(self, second: int, kind: str, count: int) -> None:
        self._kinds[kind] += count
        self._fresh += count
        self._sums.add(second, count, count)

    def look(self, now: float) -> Iterator[Finding]:
        requests, rejected, answered, queue, total = self._sums.total(now, _WINDOW)
        fresh, self._fresh = self._fresh, 0
        kinds, self._kinds = self._kinds, Counter()
        evidence = {
            "requests": int(requests), "rejected": int(rejected), "seconds": _WINDOW,
            "queue_seconds": round(queue / answered, 4) if answered else None,
            "kinds": dict(kinds),
        }  # fmt: skip
        share = rejected / requests if requests else 0.0
        if rejected >= _LEAST and share >= _SHARE:
            yield Finding(
                kind="overload", severity="critical" if share >= 0.5 else "warning",
                words=f"{rejected:.0f} of {requests:.0f} requests in {_WINDOW} s could not be "
                f"answered in time", number=self._number, evidence=evidence,
                count=int(rejected), fresh=fresh,
            )  # fmt: skip
        elif answered >= _ANSWERED and queue >= _WAITING * total and queue >= _LONG * answered:
            yield Finding(
                kind="overload", severity="warning", number=self._number, evidence=evidence,
                words=f"requests wait {queue / answered:.2f} s in a queue, "
                f"{queue / total:.0%} of their time", count=int(answered), fresh=0,
            )  # fmt: skip
