"""Counters of what one process found in its traffic: anomalies, and values that were not as usual.

Other than gauges, they are each process's own: sums over servers are right.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from modelyard.core.exposition import Exposition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelyard.core.monitoring import Anomaly
    from modelyard.monitoring.tiles import Tile

__all__ = ["ANOMALIES", "VIOLATIONS", "Counted", "violations_of"]

ANOMALIES: Final = (
    "overload", "error-burst", "latency-shift", "not-finite-output", "constant-output",
    "out-of-range-output", "schema-abuse", "out-of-distribution", "extraction", "probing",
    "auth-failures", "oversized-bodies",
)  # fmt: skip
"""Kinds; each is told from the start, as 0."""
VIOLATIONS: Final = ("null", "not-finite", "out-of-range", "unknown-category")
_DEPLOYMENTS: Final = 12
"""Deployments of which all kinds are told; of more only those that were seen."""
_MOST: Final = 120
"""Series of each of the two."""
_ANOMALIES: Final = "modelyard_anomaly_events_total"
_VIOLATIONS: Final = "modelyard_data_quality_violations_total"


class Counted:
    """Of one process. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._anomalies: Counter[tuple[str, str]] = Counter()
        self._newest = 0
        self._violations: Counter[tuple[str, str, int, str]] = Counter()
        self._before: dict[tuple[str, str, int], dict[int, dict[str, int]]] = {}

    def anomalies(self, kept: Iterable[Anomaly]) -> None:
        """Count events that were kept; one that lasts, and comes again, is counted once."""
        with self._lock:
            newest = self._newest
            for one in kept:
                if one.id > newest:
                    self._anomalies[one.deployment, one.kind] += 1
                    self._newest = max(self._newest, one.id)

    def traffic(self, deployment: str, model: str, number: int, tiles: Mapping[int, Tile]) -> None:
        """Count what is new in the tiles of a version.

        Args:
            tiles: By their minute: all that are still being filled.
        """
        key = (deployment, model, number)
        now = {minute: violations_of(tile) for minute, tile in tiles.items()}
        with self._lock:
            before = self._before.get(key, {})
            for minute, found in now.items():
                known = before.get(minute, {})
                for kind, rows in found.items():
                    more = rows - known.get(kind, 0)  # fewer: the tile was begun anew
                    self._violations[*key, kind] += more if more >= 0 else rows
            self._before[key] = now

    def forget(self, deployment: str) -> None:
        """A deployment that is not served here any more."""
        with self._lock:
            for name, kind in [key for key in self._anomalies if key[0] == deployment]:
                del self._anomalies[name, kind]
            for key in [key for key in self._violations if key[0] == deployment]:
                del self._violations[key]
            for place in [place for place in self._before if place[0] == deployment]:
                del self._before[place]

    def text(self, deployments: Iterable[str] = ()) -> str:
        """Prometheus' text.

        Args:
            deployments: What is served here: told as 0 before anything was found.
        """
        told = Exposition()
        told.begin(_ANOMALIES, "counter", "Anomalies that were found in traffic.")
        told.begin(
            _VIOLATIONS, "counter",
            "Values of inputs that were missing, not finite, outside of the reference or unknown.",
        )  # fmt: skip
        with self._lock:
            anomalies = dict.fromkeys(
                ((name, kind) for name in list(deployments)[:_DEPLOYMENTS] for kind in ANOMALIES), 0
            )
            anomalies.update(self._anomalies)
            violations = dict(self._violations)
        for (name, kind), times in list(anomalies.items())[:_MOST]:
            told.add(_ANOMALIES, Exposition.labels(deployment=name, kind=kind), times)
        for (name, model, number, kind), times in list(violations.items())[:_MOST]:
            labels = Exposition.labels(deployment=name, model=model, version=number, kind=kind)
            told.add(_VIOLATIONS, labels, times)
        return told.text()


def violations_of(tile: Tile) -> dict[str, int]:
    """Values that were not as the reference lets expect, by kind; 0 where there were none."""
    numbers, categories = tile.numbers, tile.categories
    nulls = sum(one.nulls for one in numbers) + sum(one.nulls for one in categories)
    return {
        "null": nulls + sum(one.nulls for one in tile.vectors),
        "not-finite": sum(one.infinite for one in numbers),
        "out-of-range": sum(one.outside for one in numbers),
        "unknown-category": sum(int(one.counts[-1]) for one in categories),
    }
