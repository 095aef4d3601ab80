"""Requests and rows made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.monitoring.profiles import profile_from_rows
from modelyard.monitoring.rows import Asked, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.monitoring.anomalies.watchman import Watchman
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array

__all__ = ["BEGUN", "Data", "asked"]

BEGUN = 1_800_000_000
"""Seconds since 1970."""


def asked(
    second: int, ok: int = 100, *, ms: float = 5.0, queue: float = 0.1, seed: int = 0,
    client: str = "ann", **failed: int,
) -> Asked:  # fmt: skip
    """Requests of one second after `BEGUN`: log-normal times around `ms`, after `queue` ms."""
    random = np.random.default_rng([seed, second])
    predict = (random.lognormal(np.log(ms * 1e6), 0.4, ok)).astype(np.int64)
    waited, nothing = np.full(ok, int(queue * 1e6)), np.zeros(ok, np.int64)
    outcomes = {kind.replace("_", "-"): count for kind, count in failed.items()}
    return Asked(
        second=BEGUN + second, outcomes={"ok": ok, **outcomes}, total=predict + waited,
        queue=waited, preprocess=nothing, predict=predict, postprocess=nothing, rows=ok,
        batches=np.ones(ok, np.int64), clients={client: ok + sum(failed.values())},
    )  # fmt: skip


class Data:
    """Correlated numbers with two classes, a reference of 3,000 rows, and rows like them."""

    def __init__(self, wide: int = 8, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.wide = wide
        self._mix = self.random.normal(size=(wide, wide)) * 0.3 + np.eye(wide)
        self.weights = self.random.normal(size=wide)
        self.reference = self.some(3000)
        columns = {f"c{i}": self.reference[:, i] for i in range(wide)}
        self.profile: Profile = profile_from_rows(
            columns, self.answers(self.reference), task="classification", classes=[0, 1]
        )

    def some(self, count: int) -> Array:
        points: Array = self.random.normal(size=(count, self.wide)) @ self._mix
        return points

    def answers(self, points: Array) -> dict[str, Array]:
        share = 1 / (1 + np.exp(-points @ self.weights))
        both = np.stack([1 - share, share], 1)
        return {"label": (share > 0.5).astype(np.int64), "probability": both}

    def rows(self, points: Array, clients: str | Sequence[str] = "ann", **changes: Any) -> Rows:
        found = self.answers(points)
        count = len(points)
        names = [clients] * count if isinstance(clients, str) else list(clients)
        return Rows(
            self.profile.schema, count, points,
            **({"labels": found["label"].astype(np.int32), "scores": found["probability"],
               "requests": [f"r{i}" for i in range(count)], "clients": names} | changes),
        )  # fmt: skip

    def seen(
        self, watchman: Watchman, attack: Any = None, seconds: int = 30, each: int = 64
    ) -> dict[tuple[str, str | None], Any]:
        """The last telling of each incident: ten good clients, and `bad` with its rows."""
        told = {}
        for second in range(seconds):
            good = [f"good{i % 10}" for i in range(100)]
            watchman.rows(1, self.rows(self.some(100), good), self.profile)
            if attack is not None:
                watchman.rows(1, self.rows(attack(each), "bad"), self.profile)
            for one in watchman.tick(BEGUN + second + 0.5):
                told[one.kind, one.client] = one
        return told
