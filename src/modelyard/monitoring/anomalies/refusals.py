"""Requests that were refused for what they are: wrong, too large, of nobody who may ask."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Final

from modelyard.monitoring.anomalies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.monitoring import Severity

__all__ = ["AUTH", "OVERSIZED", "PACE", "WRONG", "Refusals"]

AUTH: Final = frozenset(
    {"not-signed-in", "bad-token", "wrong-password", "not-allowed", "no-deployment"}
)
"""Kinds of errors of callers who may not ask (one who may not read a model is told that there is
no such deployment)."""
OVERSIZED: Final = frozenset({"body-too-large"})
PACE: Final = frozenset({"too-many-requests"})
WRONG: Final = frozenset(
    {"bad-inputs", "bad-request", "bad-rows", "bad-format", "no-output", "no-column", "no-rows",
     "not-by-rows", "wrong-media-type", "wrong-method", "no-version", "too-slow"}
)  # fmt: skip
"""Kinds of errors of requests that nobody could answer."""
_KNOWN: Final = AUTH | OVERSIZED | PACE | WRONG
_WINDOW: Final = 60
_CLIENTS: Final = 1000
_SCHEMA, _AUTH, _OVERSIZED, _PACE = 20, 10, 3, 50
"""Refusals of one client in a minute from which it is told."""
_ALL_AUTH: Final = 100
"""Of all clients together: many addresses may guess."""
_SHARE: Final = 0.2
"""Wrong requests among all of a client, at least."""
_VARIED: Final = 3
"""Different kinds of wrong requests that show that somebody tries what is taken."""


class _Client:
    """Refusals of the last minute."""

    __slots__ = ("asked", "auth", "fresh", "largest", "last", "seen")

    def __init__(self) -> None:
        self.seen: deque[tuple[float, str, int]] = deque()
        self.asked: deque[tuple[float, int]] = deque()
        self.fresh: Counter[str] = Counter()
        self.auth = 0
        """Of those that may not ask, when it was counted last."""
        self.largest = 0
        self.last = 0.0

    def counts(self, now: float) -> Counter[str]:
        """By kind."""
        while self.seen and self.seen[0][0] < now - _WINDOW:
            self.seen.popleft()
        found: Counter[str] = Counter()
        for _, kind, count in self.seen:
            found[kind] += count
        return found

    def requests(self, now: float) -> int:
        while self.asked and self.asked[0][0] < now - _WINDOW:
            self.asked.popleft()
        return sum(count for _, count in self.asked)


class Refusals:
    """Of one deployment: counts by client, of at most 1,000 clients."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._new: Counter[tuple[str, str]] = Counter()
        self._sizes: dict[str, int] = {}
        self._asked: Counter[str] = Counter()

    def refused(self, kind: str, client: str, size: int, count: int) -> None:
        if kind not in _KNOWN:  # the server's own affair
            return
        if len(self._new) < 4 * _CLIENTS or (kind, client) in self._new:
            self._new[kind, client] += count
        if size and (client in self._sizes or len(self._sizes) < _CLIENTS):
            self._sizes[client] = max(size, self._sizes.get(client, 0))

    def asked(self, client: str, count: int) -> None:
        """Requests of a client, of those whose version was known."""
        if client in self._clients:  # who was never refused needs no count
            self._asked[client] += count

    def look(self, now: float) -> Iterator[Finding]:
        self._take(now)
        everybody: Counter[str] = Counter()
        guessed = 0
        for name, client in list(self._clients.items()):
            if now - client.last > _WINDOW:
                del self._clients[name]
                continue
            if client.fresh:
                counts = client.counts(now)
                client.auth = _sum(counts, AUTH)
                yield from self._of(name, client, counts, now)
                client.fresh.clear()
            if client.auth:
                everybody[name] = client.auth
                guessed += client.auth if client.auth < _AUTH else 0
        if guessed >= _ALL_AUTH:
            yield Finding(
                kind="auth-failures", severity="warning", count=guessed, fresh=0,
                words=f"{guessed} requests of {len(everybody)} clients in a minute were refused, "
                f"as nobody who may ask sent them",
                evidence={"clients": dict(everybody.most_common(5))},
            )  # fmt: skip

    def _take(self, now: float) -> None:
        for (kind, name), count in self._new.items():
            client = self._clients.get(name)
            if client is None:
                if len(self._clients) >= _CLIENTS:
                    self._clients.popitem(last=False)
                client = self._clients[name] = _Client()
            self._clients.move_to_end(name)
            client.seen.append((now, kind, count))
            client.fresh[kind] += count
            client.last = now
            client.largest = max(client.largest, self._sizes.get(name, 0))
        for name, count in self._asked.items():
            if (known := self._clients.get(name)) is not None:
                known.asked.append((now, count))
        self._new.clear()
        self._sizes.clear()
        self._asked.clear()

    def _of(
        self, name: str, client: _Client, counts: Counter[str], now: float
    ) -> Iterator[Finding]:
        wrong = {kind: count for kind, count in counts.items() if kind in WRONG}
        total = sum(wrong.values())
        requests = max(client.requests(now), total)
        if total >= _SCHEMA and total >= _SHARE * requests:
            probing = len(wrong) >= _VARIED
            yield Finding(
                kind="probing" if probing else "schema-abuse", severity="warning", client=name,
                words=f"{total} of {requests} requests of {name} in a minute were wrong"
                + (f", in {len(wrong)} different ways" if probing else ""),
                evidence={"kinds": wrong, "requests": requests}, count=total,
                fresh=sum(client.fresh[kind] for kind in wrong),
            )  # fmt: skip
        yield from _told(
            "auth-failures", counts, client, AUTH, _AUTH, name,
            "{count} requests of {name} in a minute were refused: they may not ask", "warning",
        )  # fmt: skip
        yield from _told(
            "oversized-bodies", counts, client, OVERSIZED, _OVERSIZED, name,
            "{count} bodies of {name} in a minute were larger than this deployment takes",
            "warning",
        )  # fmt: skip
        yield from _told(
            "overload", counts, client, PACE, _PACE, name,
            "{count} requests of {name} in a minute came faster than it is allowed", "info",
        )  # fmt: skip


def _told(
    kind: str, counts: Counter[str], client: _Client, kinds: frozenset[str], least: int,
    name: str, words: str, severity: Severity,
) -> Iterator[Finding]:  # fmt: skip
    count = _sum(counts, kinds)
    if count < least:
        return
    evidence: dict[str, object] = {"kinds": {k: n for k, n in counts.items() if k in kinds}}
    if kind == "oversized-bodies":
        evidence["largest"] = client.largest
    yield Finding(
        kind=kind, severity=severity, client=name, count=count, evidence=evidence,
        words=words.format(count=count, name=name), fresh=_sum(client.fresh, kinds),
    )  # fmt: skip


def _sum(counts: Counter[str], kinds: frozenset[str]) -> int:
    return sum(count for kind, count in counts.items() if kind in kinds)
