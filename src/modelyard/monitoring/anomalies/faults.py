"""Versions that begin to fail, or to take longer to compute."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.monitoring.anomalies.adwin import Adwin
from modelyard.monitoring.anomalies.findings import Finding, Seconds
from modelyard.monitoring.anomalies.surges import Surge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.monitoring.rows import Asked

__all__ = ["FAULTS", "ErrorBurst", "LatencyShift"]

FAULTS: Final = frozenset({"failed", "model-failed", "model-died", "model-timeout"})
"""Kinds of errors that speak against a version (`serving.plane` counts the same)."""
_TWICE: Final = 1.0
"""Doublings of the time from which it matters."""
_SLOWER: Final = 0.005
"""Seconds more from which it matters."""
_SLOW: Final = 0.05
"""Share of a second's requests that makes it a slow one."""
_FLOOR, _DOUBLINGS = 10.0, 26.0
"""Times of 2^10 ns to 2^36 ns (a microsecond to a minute) become 0 to 1, as ADWIN wants them."""
_LEAST: Final = 20
"""Requests from which a mean is told."""


class ErrorBurst:
    """Of one version: more of its requests fail than before."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._surge = Surge(least=0.02)
        self._kinds: Counter[str] = Counter()

    def asked(self, asked: Asked) -> None:
        failed = 0
        for kind, count in asked.outcomes.items():
            if kind in FAULTS:
                failed += count
                self._kinds[kind] += count
        self._surge.add(asked.second, sum(asked.outcomes.values()), failed)

    def look(self, now: float) -> Iterator[Finding]:
        found = self._surge.look(now)
        fresh, self._surge.fresh = self._surge.fresh, 0
        kinds, self._kinds = self._kinds, Counter()
        if found is None:
            return
        seconds, count, failed, usual = found
        share = failed / count
        yield Finding(
            kind="error-burst", severity="critical" if share >= 0.1 else "warning",
            words=f"{failed} of {count} requests failed in {seconds} s, which is {share:.1%}; "
            f"usual is {usual:.1%}", number=self._number, count=failed, fresh=fresh,
            evidence={"requests": count, "failed": failed, "seconds": seconds,
                      "share": round(share, 4), "usual": round(usual, 4), "kinds": dict(kinds)},
        )  # fmt: skip


class LatencyShift:
    """Of one version: computing takes longer than before, waiting in a queue aside.

    Twice as long for most requests (ADWIN on the logarithm of the time), or several times as long
    for some, second after second: a single stall makes many requests slow, so seconds are counted.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._adwin = Adwin(1e-6, clock=1)
        self._sums = Seconds(62, 2)
        self._slow = Surge(least=0.3, short=10, known=60)
        self._second = [0, 0, 0]
        """The one that is under way, its requests, and those of them that were slow."""
        self._usual: list[float] | None = None
        """Requests and the sum of their logarithms, while it was calm."""
        self._shifted = float("-inf")
        self._fresh = 0
        self._on = False

    def asked(self, asked: Asked) -> None:
        spent = np.asarray(asked.total, np.float64) - asked.queue
        if asked.cold or not len(spent):  # loading is no computing
            return
        logs = np.log2(np.maximum(spent, 1.0))
        count, total = len(logs), float(logs.sum())
        self._fresh += count
        self._sums.add(asked.second, count, total)
        scaled = np.clip((logs - _FLOOR) / _DOUBLINGS, 0.0, 1.0)
        usual = self._usual
        before = self._adwin.mean
        changed = self._adwin.add_block(count, float(scaled.mean()), float(scaled.var()) * count)
        if changed and self._adwin.mean > before:
            self._shifted = asked.second
        if usual is not None and usual[0] >= _LEAST:
            mean = 2.0 ** (usual[1] / usual[0])
            bound = max(4.0 * mean, mean + 2e7)
            self._count_slow(asked.second, count, int((spent > bound).sum()))
        if usual is None:
            self._usual = [float(count), total]
        elif not self._on:
            if usual[0] > 10_000:
                usual[0], usual[1] = usual[0] / 2, usual[1] / 2
            if total / count < usual[1] / usual[0] + _TWICE or usual[0] < 10 * _LEAST:
                usual[0] += count
                usual[1] += total

    def _count_slow(self, second: int, count: int, slow: int) -> None:
        under_way = self._second
        if second == under_way[0]:
            under_way[1] += count
            under_way[2] += slow
            return
        if under_way[1]:
            self._slow.add(under_way[0], 1, int(under_way[2] >= _SLOW * under_way[1]))
        self._second = [second, count, slow]

    def look(self, now: float) -> Iterator[Finding]:
        slow = self._slow.look(now)
        fresh, self._fresh, self._slow.fresh = self._fresh, 0, 0
        usual = self._usual
        if usual is None or usual[0] < _LEAST:
            return
        count, total = self._sums.total(now, 5)
        before = usual[1] / usual[0]
        recent = total / count if count else before
        lasts = [s / n >= before + _TWICE for n, s in self._sums.since(now, 5) if n]
        higher = count >= _LEAST and recent >= before + _TWICE and sum(lasts) >= 3
        higher = higher and 2.0**recent - 2.0**before >= _SLOWER * 1e9
        moved = higher and (self._on or now - self._shifted <= 30)
        self._on = moved or slow is not None
        if not self._on:
            return
        evidence: dict[str, Any] = {
            "usual_seconds": round(2.0**before / 1e9, 6), "seconds": round(2.0**recent / 1e9, 6),
        }  # fmt: skip
        if moved:
            words = (
                f"computing takes {_spoken(2.0**recent)}, and took {_spoken(2.0**before)}"
                f" before ({2.0 ** (recent - before):.1f} times as long)"
            )
            seen = int(count)
        else:
            _, seconds, seen, _ = slow or (0, 0, 0, 0.0)
            words = (
                f"in {seen} of {seconds} seconds one request of 20 or more took over 4 times as"
                f" long as usual, which is {_spoken(2.0**before)}"
            )
            evidence |= {"slow_seconds": seen, "of_seconds": seconds}
        yield Finding(
            kind="latency-shift", severity="warning" if moved else "info", words=words,
            number=self._number, evidence=evidence, count=seen, fresh=fresh if moved else 0,
            size=recent,
        )  # fmt: skip


def _spoken(nanoseconds: float) -> str:
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.0f} us"
    return f"{nanoseconds / 1e6:.1f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:.2f} s"
