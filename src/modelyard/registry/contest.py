"""Versions measured on the same rows, tested pair by pair against the one with the best value."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.catalog.queries import reports
from modelyard.core.evaluation import Comparison, Pair
from modelyard.core.metrics import (
    PRIMARY,
    Classified,
    Means,
    Regressed,
    Resampler,
    direction,
)
from modelyard.core.significance import ALPHA, holm, paired_mcnemar, paired_samples
from modelyard.errors import Corrupt, InvalidInput, NotFound
from modelyard.registry.lookup import find_model, find_version
from modelyard.registry.measured import WantedData, Yardstick, known_evaluations
from modelyard.registry.outcomes import decode_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.core.evaluation import Evaluation, Measure
    from modelyard.core.metrics import Direction, Facts
    from modelyard.core.metrics.interface import Draws, Sample
    from modelyard.core.significance import Test
    from modelyard.registry.house import House
    from modelyard.registry.measured import Known

    Columns = Mapping[str, np.ndarray]

__all__ = ["Entrant", "compare", "contest", "way_of"]

_STAND_IN = {"r2": "rmse"}
"""On the same rows these order versions alike, and this one is known from outcomes."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A version in a contest."""

    number: int
    measure: Measure
    evaluation: Evaluation | None = None
    """None where only a committed metric is known."""


def compare(
    house: House,
    model: str,
    revisions: Sequence[str | int | None],
    *,
    metric: str | None = None,
    data: str | None = None,
    higher: bool | None = None,
) -> Comparison:
    """The latest evaluations of some versions on one dataset, and whether they differ.

    Only evaluations of one target, suite and group are compared.

    Raises:
        InvalidInput: `too-few-versions`, `different-data`, `metric-direction`, `no-metric`.
        NotFound: `not-evaluated`.
    """
    wanted = None if data is None else WantedData.of(house, data)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        found = [find_version(connection, row, revision).number for revision in revisions]
        numbers = list(dict.fromkeys(found))
        known = known_evaluations(connection, row.name, row.id)
    if len(numbers) < 2:
        raise InvalidInput("too-few-versions", "a comparison needs two versions or more",
                           hint=f"yard compare {row.name} 1 2")  # fmt: skip
    if wanted is not None:
        known = wanted.among(known)
    chosen = _measured_alike(row.name, numbers, known, metric, data)
    name = metric or PRIMARY.get(chosen[0].suite, chosen[0].measures[0].name)
    entrants = [Entrant(e.number, _measured(e, name), e) for e in chosen]
    leader, pairs = contest(house, entrants, way_of(name, higher))
    return Comparison(
        model=row.name, metric=name, data=chosen[0].data, data_digest=chosen[0].data_digest,
        evaluations=tuple(chosen), leader=leader.number, pairs=pairs,
        sentence=_sentence(name, leader, pairs),
    )  # fmt: skip


def way_of(metric: str, higher: bool | None) -> Direction:
    """Which way is better. InvalidInput: `metric-direction`."""
    if higher is not None:
        return "higher" if higher else "lower"
    known = direction(metric)
    if known is None:
        raise InvalidInput(
            "metric-direction", f"nobody knows whether a higher or a lower {metric} is better",
            hint="say --higher or --lower",
        )  # fmt: skip
    return known


def contest(
    house: House, entrants: Sequence[Entrant], way: Direction
) -> tuple[Entrant, tuple[Pair, ...]]:
    """The one with the best value, and its tests against all others, the closest first.

    Rows decide where both have them and the metric follows from them: McNemar's test for
    accuracy, else the paired bootstrap, corrected after Holm. Where not, two versions differ if
    their intervals don't touch, which is stricter than a test.
    """
    sign = 1 if way == "higher" else -1
    ranked = sorted(entrants, key=lambda e: (-sign * e.measure.value, e.number))
    leader, others = ranked[0], ranked[1:]
    kept = _outcomes(house, ranked)
    first = _Leader(leader, kept.get(leader.number))
    pairs = [_pair(first, other, kept.get(other.number)) for other in others]
    tested = [i for i, pair in enumerate(pairs) if pair.p is not None]
    for i, p in zip(tested, holm([float(pairs[i].p or 0) for i in tested]), strict=True):
        pairs[i] = replace(pairs[i], p=p, significant=p < ALPHA)
    return leader, tuple(replace(pair, verdict=_verdict(pair, way)) for pair in pairs)


def _measured_alike(
    model: str, numbers: Sequence[int], known: Known, metric: str | None, data: str | None
) -> list[Evaluation]:
    """Evaluations that share a yardstick, if one does also the metric; what was used last first."""
    shared = [
        [by_number[number] for number in numbers]
        for by_number in known.values()
        if all(number in by_number for number in numbers)
    ]
    fitting = [each for each in shared if all(metric and e.measure(metric) for e in each)]
    if shared:
        return (fitting or shared)[0]
    _refuse_unmeasured(model, numbers, known, data)
    told = {n: [by_number[n] for by_number in known.values() if n in by_number] for n in numbers}
    common = set.intersection(*({e.data_digest for e in found} for found in told.values()))
    if common:
        shown = _told(told, lambda e: str(Yardstick.of(e)) if e.data_digest in common else "")
        raise InvalidInput(
            "different-data", f"these versions were measured in different ways: {shown}",
            hint="yard evaluate them with the same --target, --suite and --group",
        )  # fmt: skip
    raise InvalidInput(
        "different-data",
        f"these versions were evaluated on different data: {_told(told, lambda e: e.data)}",
        hint=f"yard evaluate {model}@{numbers[-1]} on the data of {numbers[0]}",
    )  # fmt: skip


def _refuse_unmeasured(model: str, numbers: Sequence[int], known: Known, data: str | None) -> None:
    missing = [n for n in numbers if not any(n in by_number for by_number in known.values())]
    if missing:
        raise NotFound(
            "not-evaluated",
            f"{model}@{missing[0]} has not been evaluated" + (f" on {data}" if data else ""),
            hint=f"yard evaluate {model}@{missing[0]} --data {data or 'FILE'} --target COL",
        )  # fmt: skip


def _told(told: Mapping[int, Sequence[Evaluation]], word: Callable[[Evaluation], str]) -> str:
    words = {number: sorted({word(e) for e in found} - {""}) for number, found in told.items()}
    return "; ".join(f"{number} {', '.join(texts)}" for number, texts in words.items())


def _measured(evaluation: Evaluation, metric: str) -> Measure:
    found = evaluation.measure(metric)
    if found is None:
        names = ", ".join(m.name for m in evaluation.measures)
        raise InvalidInput("no-metric", f"{evaluation.title} has no {metric}",
                           hint=f"there are {names}")  # fmt: skip
    return found


# -- pairs -----------------------------------------------------------------------------------------


def _outcomes(house: House, ranked: Sequence[Entrant]) -> dict[int, dict[str, np.ndarray]]:
    """By version: columns of the rows, where they are those of the leader's evaluation."""
    first = ranked[0].evaluation
    if first is None:
        return {}
    alike = {
        e.evaluation.id: e.number
        for e in ranked
        if e.evaluation is not None and _same_rows(e.evaluation, first)
    }
    with house.catalog.read() as connection:
        packed = reports.outcomes_of(connection, alike)
    found: dict[int, dict[str, np.ndarray]] = {}
    for key, content in packed.items():
        with suppress(Corrupt):  # then intervals decide
            found[alike[key]] = decode_outcomes(content)
    return found


def _same_rows(a: Evaluation, b: Evaluation) -> bool:
    return Yardstick.of(a) == Yardstick.of(b) and a.rows == b.rows


def _pair(leader: _Leader, other: Entrant, columns: Columns | None) -> Pair:
    first = leader.entrant
    name, difference = first.measure.name, other.measure.value - first.measure.value
    tested = leader.test(other, columns)
    if tested is not None:
        return Pair(first.number, other.number, name, difference, *tested, "", False)
    return Pair(
        first.number, other.number, name, difference, None, None, None, "intervals", "",
        _apart(first.measure, other.measure),
    )  # fmt: skip


class _Leader:
    """The one that all others are tested against: its resamples are made only once."""

    def __init__(self, entrant: Entrant, columns: Columns | None) -> None:
        self.entrant = entrant
        self._columns = columns
        self._resampler = Resampler(0)
        self._draws: Draws | None = None
        self._made: dict[tuple[str, ...], Sample | None] = {}

    def test(
        self, other: Entrant, columns: Columns | None
    ) -> tuple[float | None, float | None, float, str] | None:
        """Interval, p and name of the test; None where the rows don't tell."""
        first, own, others = self._columns, self.entrant.evaluation, other.evaluation
        if first is None or columns is None or own is None or others is None:
            return None
        if {n: len(c) for n, c in first.items()} != {n: len(c) for n, c in columns.items()}:
            return None
        if not (_whole(own, first) and _whole(others, columns)):
            return None
        name = self.entrant.measure.name
        labels = tuple(dict.fromkeys((*own.labels, *others.labels)))
        if name == "accuracy" and own.suite == "classification":
            a = _recoded(first, own.labels, labels)
            b = _recoded(columns, others.labels, labels)
            test = paired_mcnemar(a["truth"] == a["label"], b["truth"] == b["label"])
            return test.low, test.high, test.p, test.name
        found = self._resampled(_STAND_IN.get(name, name), labels, others, columns)
        if found is None:
            return None
        if name in _STAND_IN:
            return None, None, found.p, f"{found.name} of {_STAND_IN[name]}"
        return found.low, found.high, found.p, found.name

    def _resampled(
        self, metric: str, labels: tuple[str, ...], others: Evaluation, columns: Columns
    ) -> Test | None:
        assert self.entrant.evaluation is not None
        assert self._columns is not None
        facts = _facts(others, columns, labels)
        draws = self._draws = self._draws or self._resampler.of(facts.rows)
        if labels not in self._made:
            own = _facts(self.entrant.evaluation, self._columns, labels)
            self._made[labels] = own.samples(draws, metric).get(metric)
        first, second = self._made[labels], facts.samples(draws, metric).get(metric)
        return (
            None if first is None or second is None else paired_samples(first, second, draws.count)
        )


def _facts(evaluation: Evaluation, columns: Columns, labels: tuple[str, ...]) -> Facts:
    if evaluation.suite == "regression":
        return Regressed.from_outcomes(columns)
    if evaluation.suite == "classification":
        return Classified.from_outcomes(labels, _recoded(columns, evaluation.labels, labels))
    return Means.from_outcomes(columns)


def _whole(evaluation: Evaluation, columns: Columns) -> bool:
    """Whether a classification's rows are there, with codes that its labels explain."""
    if evaluation.suite != "classification":
        return True
    codes = [columns[name] for name in ("truth", "label") if name in columns]
    count = len(evaluation.labels)
    return len(codes) == 2 and all(
        each.dtype.kind in "iu" and each.min(initial=0) >= 0 and each.max(initial=0) < count
        for each in codes
    )


def _recoded(columns: Columns, own: Sequence[str], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Codes of one evaluation as those of both; probabilities go if the classes differ."""
    if tuple(own) == tuple(labels):
        return dict(columns)
    place = {name: i for i, name in enumerate(labels)}
    codes = np.array([place[name] for name in own], np.int64)
    return {name: codes[columns[name].astype(np.int64)] for name in ("truth", "label")}


def _apart(a: Measure, b: Measure) -> bool:
    """Whether intervals don't touch; where there is none, nobody can tell.

    An interval without width is none: it comes of too few rows.
    """
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return False
    if a.low == a.high or b.low == b.high:
        return False
    return a.low > b.high or b.low > a.high


# -- words -----------------------------------------------------------------------------------------


def _verdict(pair: Pair, way: Direction) -> str:
    size = f"{abs(pair.difference):.3g}"
    if not pair.significant:
        why = f" (p = {pair.p:.2g})" if pair.p is not None else ""
        if pair.test == "intervals":
            why = ", as far as intervals tell"
        return f"no significant difference{why}"
    more = (pair.difference > 0) == (way == "higher")
    p = f"p = {pair.p:.2g}, " if pair.p is not None else ""
    return f"{pair.b} is {'better' if more else 'worse'} by {size} ({p}{pair.test})"


def _sentence(metric: str, leader: Entrant, pairs: Sequence[Pair]) -> str:
    close = [pair.b for pair in pairs if not pair.significant]
    if not close:
        return f"{leader.number} is best: its {metric} differs significantly from all others"
    least = min(abs(pair.difference) for pair in pairs)
    others = words_of(close)
    if least == 0 and len(close) == 1 and len(pairs) == 1:
        return f"{leader.number} and {others} have the same {metric}: no significant difference"
    return (
        f"{leader.number} leads by {least:.3g}, but there is no significant difference to {others}"
    )


def words_of(numbers: Sequence[Any]) -> str:
    """`3, 7 and 9`."""
    texts = [str(number) for number in numbers]
    shown = [*texts[:10], f"{len(texts) - 10} more"] if len(texts) > 11 else texts
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + f" and {shown[-1]}"
