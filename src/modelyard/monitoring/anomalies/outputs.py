"""Answers of a version that can't be right: no numbers, always the same, out of all bounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.monitoring.anomalies.evidence import shown
from modelyard.monitoring.anomalies.findings import Finding, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array, Rows

__all__ = ["Outputs"]

_WINDOW: Final = 60
_ROWS: Final = 256
"""Rows of a call that are looked at for sameness."""
_SURE: Final = 18.4
"""Nats: chance gives the same answer so often once in 10^8 times."""
_LEAST: Final = 200
_USUAL: Final = 0.9
"""Share of the most frequent answer that is thought possible before anything is known."""
_KEPT: Final = 10_000
_BEYOND: Final = 0.5
"""Of the reference's span, on each side, that predicted values may lie beyond it."""
_OUTSIDE, _SHARE = 5, 0.01


class Outputs:
    """Of one version."""

    def __init__(self, number: int, redact: frozenset[str]) -> None:
        self._number, self._redact = number, redact
        self._sums = Seconds(_WINDOW + 2, 3)
        self._new = [0, 0, 0]
        """Rows since the last look, and those of them that are broken or outside."""
        self._shown: dict[str, list[dict[str, Any]]] = {}
        self._fresh = {"not-finite-output": 0, "out-of-range-output": 0}
        self._run = 0
        self._varied = False
        self._run_fresh = 0
        self._first: tuple[Array, Array] | None = None
        self._pairs = [0.0, 0.0]
        """Neighbours whose inputs differ, and those of them that had the same answer."""
        self._frequent = 0.0

    def hide(self, redact: frozenset[str]) -> None:
        """Show no values of these from now on."""
        self._redact = redact
        self._shown.clear()

    def rows(self, rows: Rows, profile: Profile | None) -> None:
        if not rows.count or all(a is None for a in (rows.scores, rows.values, rows.labels)):
            return
        broken = _not_finite(rows)
        outside = _outside(rows, profile)
        self._keep("not-finite-output", rows, broken)
        self._keep("out-of-range-output", rows, outside)
        for place, count in enumerate((rows.count, _count(broken), _count(outside))):
            self._new[place] += count
        self._frequent = _frequent(profile)
        self._same(rows)

    def look(self, now: float) -> Iterator[Finding]:
        self._sums.add(int(now), *self._new)
        self._new = [0, 0, 0]
        count, broken, outside = self._sums.total(now, _WINDOW)
        fresh, self._fresh = self._fresh, dict.fromkeys(self._fresh, 0)
        if broken and fresh["not-finite-output"]:
            share = broken / count
            yield self._found(
                "not-finite-output", "critical" if share >= 0.01 else "warning", int(broken),
                f"{broken:.0f} of {count:.0f} answers in a minute hold NaN or an infinity",
                fresh["not-finite-output"],
            )  # fmt: skip
        if outside >= _OUTSIDE and outside >= _SHARE * count and fresh["out-of-range-output"]:
            yield self._found(
                "out-of-range-output", "warning", int(outside),
                f"{outside:.0f} of {count:.0f} answers in a minute are far from all that the "
                f"reference has", fresh["out-of-range-output"],
            )  # fmt: skip
        if self._run_fresh and self._is_constant():
            run_fresh, self._run_fresh = self._run_fresh, 0
            yield self._found(
                "constant-output", "critical", self._run,
                f"the last {self._run} answers are the same, though what was asked differs",
                run_fresh,
            )  # fmt: skip

    def _found(self, kind: str, severity: Any, count: int, words: str, fresh: int) -> Finding:
        evidence: dict[str, Any] = {"answers": count}
        if rows := self._shown.pop(kind, None):
            evidence["rows"] = rows
        return Finding(
            kind=kind, severity=severity, words=words, number=self._number, evidence=evidence,
            count=count, fresh=fresh,
        )  # fmt: skip

    def _keep(self, kind: str, rows: Rows, wrong: Array | None) -> None:
        if wrong is None:
            return
        places = np.flatnonzero(wrong)
        self._fresh[kind] += len(places)
        if kind not in self._shown:
            self._shown[kind] = shown(rows, places[:3].tolist(), self._redact)

    # -- always the same -------------------------------------------------------------------------

    def _same(self, rows: Rows) -> None:
        """How long the last answers are the same; and how often neighbours usually are."""
        said, asked = _answers(rows)[-_ROWS:], rows.numbers[-_ROWS:]
        alike = (said[1:] == said[:-1]).all(axis=1)
        if asked.shape[1]:
            differ = (asked[1:] != asked[:-1]).any(axis=1)
        else:
            differ = np.ones(len(alike), bool)
        last, first = said[-1], self._first
        ended = np.flatnonzero(~alike)
        if len(ended) or first is None or not np.array_equal(first[0], said[0]):
            start = int(ended[-1]) + 1 if len(ended) else 0
            self._run, self._varied, self._run_fresh = 0, False, 0
            self._first = first = last, asked[start]
            asked = asked[start:]
        self._run += len(asked)
        self._run_fresh += len(asked)
        if not self._varied and asked.shape[1]:
            self._varied = bool((asked != first[1]).any())
        elif not asked.shape[1]:
            self._varied = _texts_vary(rows)
        if self._run < _LEAST:
            pairs = self._pairs
            if pairs[0] > _KEPT:
                pairs[0], pairs[1] = pairs[0] / 2, pairs[1] / 2
            pairs[0] += float(differ.sum())
            pairs[1] += float((differ & alike).sum())

    def _is_constant(self) -> bool:
        if self._run < _LEAST or not self._varied:
            return False
        count, alike = self._pairs
        usual = math.sqrt(alike / count) if count >= 1000 else _USUAL
        usual = min(max(usual, self._frequent, 0.01), 0.9999)
        return -(self._run - 1) * math.log(usual) >= _SURE


def _not_finite(rows: Rows) -> Array | None:
    """Which rows hold NaN or an infinity; None: none do."""
    found: Array | None = None
    for array in (rows.scores, rows.values):
        if array is None or math.isfinite(float(array.sum())):
            continue
        odd: Array = np.any(~np.isfinite(array).reshape(rows.count, -1), axis=1)
        found = odd if found is None else found | odd
    return found if found is not None and found.any() else None


def _outside(rows: Rows, profile: Profile | None) -> Array | None:
    """Which rows hold what no such version says; None: none do."""
    found: Array | None = None
    if rows.scores is not None and rows.schema.task == "classification":
        with np.errstate(invalid="ignore"):
            beside = (rows.scores < -1e-6) | (rows.scores > 1 + 1e-6)
            found = np.any(beside & np.isfinite(rows.scores), axis=1)
    if rows.labels is not None and rows.schema.classes:
        strange: Array = rows.labels < 0
        found = strange if found is None else found | strange
    reference = None if profile is None else profile.tile.predicted.values
    if rows.values is not None and reference is not None and reference.low < reference.high:
        wide = _BEYOND * (reference.high - reference.low)
        with np.errstate(invalid="ignore"):
            beyond: Array = (rows.values < reference.low - wide) | (
                rows.values > reference.high + wide
            )
        beyond &= np.isfinite(rows.values)
        found = beyond if found is None else found | beyond
    return found if found is not None and found.any() else None


def _answers(rows: Rows) -> Array:
    """[rows, n] of numbers that are equal where answers are."""
    if rows.scores is not None:
        return rows.scores
    said = rows.values if rows.values is not None else rows.labels
    assert said is not None
    return said.reshape(-1, 1)


def _frequent(profile: Profile | None) -> float:
    """Share of the reference's most frequent answer."""
    if profile is None:
        return 0.0
    predicted = profile.tile.predicted
    if predicted.values is not None and predicted.rows:
        return float(predicted.values.counts.max(initial=0)) / predicted.rows
    if len(predicted.labels) and predicted.rows:
        return float(predicted.labels.max()) / predicted.rows
    return 0.0


def _texts_vary(rows: Rows) -> bool:
    return any(len(set(texts[-_ROWS:])) > 1 for texts in rows.categories) or any(
        bool((array[1:] != array[:1]).any()) for array in rows.vectors
    )


def _count(wrong: Array | None) -> int:
    return 0 if wrong is None else int(np.count_nonzero(wrong))
