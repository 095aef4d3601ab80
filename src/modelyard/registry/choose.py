"""Choosing the best version: by one metric, under conditions, and never a tie for a win."""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING

from modelyard.catalog.queries import refs, versions
from modelyard.catalog.queries.search import search as search_versions
from modelyard.core.conditions import HasText, Query
from modelyard.core.evaluation import Choice, Excluded, Measure
from modelyard.core.wishes import Bound, parse_wishes
from modelyard.errors import NotFound
from modelyard.registry.contest import Entrant, contest, way_of, words_of
from modelyard.registry.lookup import find_model
from modelyard.registry.measured import WantedData, known_evaluations
from modelyard.registry.refs import check_alias, move_alias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.conditions import Condition, Not
    from modelyard.core.evaluation import Evaluation, Pair
    from modelyard.core.metrics import Direction
    from modelyard.registry.house import House
    from modelyard.registry.measured import Known, Yardstick

__all__ = ["choose"]

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class _Field:
    """All versions of a model, and what is known of each."""

    model: ModelRow
    rows: Mapping[int, VersionRow]
    """Those that live, by number."""
    metrics: Mapping[int, Mapping[str, float]]
    """As they stand in the catalog, by number."""
    evaluations: Mapping[int, Evaluation]
    """By one yardstick, by number."""
    data: str = ""
    yardstick: Yardstick | None = None
    others: Mapping[int, str] = dataclass_field(default_factory=dict)
    """How versions that are not in `evaluations` were measured on the same data, by number."""
    choosable: int = 1
    """By how many yardsticks the metric is known."""


def choose(
    house: House,
    model: str,
    *,
    metric: str,
    where: str = "",
    alias: str | None = None,
    data: str | None = None,
    higher: bool | None = None,
) -> Choice:
    """The best version by a metric, of those that meet all conditions.

    Compared are evaluations of the same data, target, suite and group: those that most versions
    share. Metrics that came with a commit rank versions where nothing was evaluated; they move no
    alias.

    Args:
        data: A path, a dataset or a digest: only evaluations on it count.

    Raises:
        NotFound: `not-evaluated`: no version has this metric. `nothing-fits`: none is left.
        InvalidInput: `metric-direction`, `bad-query`.
        Conflict: `ref-exists`: the alias is a branch or a tag.
    """
    way = way_of(metric, higher)
    wishes = parse_wishes(where)
    wanted = None if data is None else WantedData.of(house, data)
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        there = _field(connection, row, metric, wanted)
        if alias is not None:
            check_alias(connection, row, alias)
        reasons = _reasons(house, connection, there, metric, wishes)
    entrants = [
        _entrant(there, number, metric) for number in there.rows if number not in reasons
    ]  # fmt: skip
    if not entrants:
        raise _nothing(there, metric, data, reasons)
    leader, pairs = contest(house, entrants, way)
    blind = _blind(entrants, leader, pairs)
    close = [pair for pair in pairs if not pair.significant]
    tied = tuple(sorted(pair.b for pair in close if not (blind and pair.difference)))
    choice = Choice(
        model=row.name, metric=metric, data=there.data,
        data_digest=there.yardstick.digest if there.yardstick else "",
        winner=None if close else leader.number, leader=leader.number, tied=tied,
        ranking=_ranked(entrants, way),
        excluded=tuple(Excluded(n, reasons[n]) for n in sorted(reasons)),
        sentence=_sentence(metric, leader, pairs, there, blind=blind),
    )  # fmt: skip
    return choice if alias is None else _pointed(house, there, choice, alias, blind=blind)


def _field(
    connection: sa.Connection, row: ModelRow, metric: str, wanted: WantedData | None
) -> _Field:
    rows = {v.number: v for v in versions.all_of(connection, row.id) if not v.deleted}
    by_id = versions.metrics_of(connection, [v.id for v in rows.values()])
    metrics = {number: by_id.get(v.id, {}) for number, v in rows.items()}
    known = known_evaluations(connection, row.name, row.id)
    if wanted is not None:
        known = wanted.among(known)
    fitting = {
        key: {n: e for n, e in found.items() if e.measure(metric) is not None}
        for key, found in known.items()
    }
    fitting = {key: found for key, found in fitting.items() if found}
    if not fitting:
        return _Field(row, rows, metrics if wanted is None else {n: {} for n in rows}, {})
    key = max(fitting, key=lambda k: len(fitting[k]))  # the first of equals was used last
    chosen = fitting[key]
    newest = max(chosen.values(), key=lambda e: e.id)
    others = _others(known, key)
    return _Field(row, rows, metrics, chosen, newest.data, key, others, len(fitting))


def _others(known: Known, key: Yardstick) -> dict[int, str]:
    """How versions were measured on the same data by other yardsticks."""
    found: dict[int, str] = {}
    for other, by_number in known.items():
        if other.digest == key.digest and other != key:
            for number in by_number:
                found.setdefault(number, str(other))
    return found


def _blind(entrants: Sequence[Entrant], leader: Entrant, pairs: Sequence[Pair]) -> bool:
    """Whether nothing is known of chance: no rows and no intervals."""
    if any(entrant.measure.low is not None for entrant in entrants):
        return False
    if not pairs:
        return leader.evaluation is None
    return all(pair.p is None for pair in pairs)


def _entrant(field: _Field, number: int, metric: str) -> Entrant:
    evaluation = field.evaluations.get(number)
    measure = evaluation.measure(metric) if evaluation is not None else None
    return Entrant(number, measure or Measure(metric, field.metrics[number][metric]), evaluation)


# -- who may take part -----------------------------------------------------------------------------


def _reasons(
    house: House,
    connection: sa.Connection,
    field: _Field,
    metric: str,
    wishes: Sequence[Bound | Condition | Not],
) -> dict[int, str]:
    """Why versions may not take part, by number."""
    reasons: dict[int, str] = {}
    for number in field.rows:
        reason = _unmeasured(field, number, metric)
        if reason is not None:
            reasons[number] = reason
    for wish in wishes:
        if isinstance(wish, Bound):
            found = {n: r for n in field.rows if (r := _unmet(field, n, wish)) is not None}
        else:
            fitting = _found(house, connection, field.model, wish)
            found = {n: f"not {wish}" for n in field.rows if n not in fitting}
        for number, reason in found.items():
            reasons.setdefault(number, reason)
    return reasons


def _unmeasured(field: _Field, number: int, metric: str) -> str | None:
    if number in field.evaluations or (not field.evaluations and metric in field.metrics[number]):
        return None
    if not field.evaluations:
        return f"has no {metric}"
    if number in field.others:
        return f"measured in another way on {field.data}: {field.others[number]}"
    return f"not evaluated on {field.data}"


def _unmet(field: _Field, number: int, bound: Bound) -> str | None:
    value = _value(field, number, bound.name)
    if value is None:
        return f"{bound.name} is not known"
    return None if bound.holds(value) else f"{bound.name} is {bound.shown(value)}, not {bound}"


def _value(field: _Field, number: int, name: str) -> float | None:
    if name == "size":
        return float(field.rows[number].size)
    evaluation = field.evaluations.get(number)
    if evaluation is not None:
        measure = evaluation.measure(name)
        if measure is not None:
            return measure.value
        if name.startswith("latency") and evaluation.latency is not None:
            known = getattr(evaluation.latency, name.partition("_")[2] or "p50", None)
            return None if known is None else float(known)
    return field.metrics[number].get(name)


def _found(
    house: House, connection: sa.Connection, model: ModelRow, condition: Condition | Not
) -> set[int]:
    """Numbers of the model's versions that a condition finds."""
    query = Query((HasText("name", model.name), condition))
    numbers: set[int] = set()
    after = None
    now = house.catalog.now(connection)
    while True:
        ids, after = search_versions(connection, query, limit=_PAGE, after=after, now=now)
        rows = versions.by_ids(connection, ids).values()
        numbers |= {row.number for row in rows if row.model_id == model.id}
        if after is None:
            return numbers


def _nothing(field: _Field, metric: str, data: str | None, reasons: Mapping[int, str]) -> NotFound:
    model = field.model.name
    if not field.evaluations and not any(metric in m for m in field.metrics.values()):
        on = f" on {data}" if data else ""
        return NotFound(
            "not-evaluated", f"no version of {model} has a {metric}{on}",
            hint=f"yard evaluate {model}@latest --data {data or 'FILE'} --target COL",
        )  # fmt: skip
    shown = "; ".join(f"{number}: {reason}" for number, reason in list(reasons.items())[:5])
    return NotFound("nothing-fits", f"no version of {model} meets all conditions: {shown}",
                    hint="loosen --where")  # fmt: skip


# -- what is said ----------------------------------------------------------------------------------


def _ranked(entrants: Sequence[Entrant], way: Direction) -> tuple[tuple[int, Measure], ...]:
    sign = 1 if way == "higher" else -1
    best_first = sorted(entrants, key=lambda e: (-sign * e.measure.value, e.number))
    return tuple((entrant.number, entrant.measure) for entrant in best_first)


def _sentence(
    metric: str,
    leader: Entrant,
    pairs: Sequence[Pair],
    field: _Field,
    *,
    blind: bool,
) -> str:
    value = f"{metric} {leader.measure.value:.4g}"
    if field.yardstick is not None and field.choosable > 1:
        value += f", {field.yardstick}"
    if not pairs:
        return f"{leader.number} is the only version that can be chosen ({value})"
    tied = [pair for pair in pairs if not pair.significant]
    first = f"{abs(pairs[0].difference):.3g}"
    if not tied:
        others = {1: "the other", 2: "both others"}.get(len(pairs), f"all {len(pairs)} others")
        return (
            f"{leader.number} is best: {value} on {field.data}, ahead of {pairs[0].b} by {first}, "
            f"significantly better than {others}"
        )
    if blind:
        return (
            f"{leader.number} has the best {value}, ahead of {pairs[0].b} by {first}; but "
            "without evaluations on the same data nobody can tell that from chance"
        )
    names = words_of([pair.b for pair in tied])
    verb = "is" if len(tied) == 1 else "are"
    lead = f"leads by {first}, but" if pairs[0].difference else "leads with others:"
    return f"{leader.number} {lead} {names} {verb} not significantly worse ({value})"


# -- the alias -------------------------------------------------------------------------------------


def _pointed(house: House, field: _Field, choice: Choice, alias: str, *, blind: bool) -> Choice:
    """Point the alias at a winner; in a tie it stays where it is, if that is one of the tied.

    It never moves where nothing is known of chance.
    """
    with house.catalog.read() as connection:
        there = refs.get(connection, field.model.id, alias)
    here = None if there is None else there.number
    if blind:
        kept = f"{alias} is not set" if here is None else f"{alias} stays at {here}"
        told = f"{kept}, as nothing was evaluated"
        return replace(choice, sentence=f"{choice.sentence}; {told}", alias=alias, points_at=here)
    equals = (choice.leader, *choice.tied)
    if choice.winner is not None:
        target, why = choice.winner, ""
    elif here in equals:
        target, why = here, "one of the tied" if choice.tied else ""
    else:
        target, why = _preferred(field, equals)
    if target == here:
        told = f"{alias} stays at {target}" + (f", {why}" if why else "")
    else:
        move_alias(house, choice.model, alias, target)
        told = f"{alias} points at {target}" + (f", {why}" if why else "")
    return replace(choice, sentence=f"{choice.sentence}; {told}", alias=alias, points_at=target)


def _preferred(field: _Field, equals: Sequence[int]) -> tuple[int, str]:
    """Of equals the smallest, then the fastest, then the oldest."""
    if len(equals) == 1:
        return equals[0], ""
    sizes = {number: field.rows[number].size for number in equals}
    least = [number for number in equals if sizes[number] == min(sizes.values())]
    if len(least) == 1:
        return least[0], "the smallest of the tied"
    speeds = {n: value for n in least if (value := _value(field, n, "latency_p50")) is not None}
    if len(speeds) == len(least):
        fastest = [n for n in least if speeds[n] == min(speeds.values())]
        if len(fastest) == 1:
            return fastest[0], "the fastest of the smallest tied"
        least = fastest
    return min(least), "the oldest of the tied"
