"""Facets: the values by which what was found can be narrowed, with how many models have each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelyard.core.query import Condition, HasLabel, HasText, HasValue, Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.catalog.queries.overviews import Trait

__all__ = ["Choice", "Counted", "Facet", "count", "facets_of"]

_LONGEST = 12
"""Values of a facet."""
_Told = tuple[str, str]
Counted = dict[str, "Counter[_Told]"]
"""How many models have a value, by facet."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value."""

    value: str
    count: int
    """Models that have it, among those that were counted."""
    is_more: bool
    """Whether not all were counted."""
    is_on: bool
    """Whether the query asks for it already."""
    query: str
    """The query with this value added, or without it if it was there."""


@dataclass(frozen=True, slots=True)
class Facet:
    """Values of one kind, the most usual first."""

    name: str
    """`kind`, `framework`, `format`, `label`, `namespace` or `author`."""
    choices: tuple[Choice, ...]


def facets_of(query: Query, counted: Counted, is_more: bool) -> tuple[Facet, ...]:
    """Facets of what was counted; what the query asks for is among them in any case.

    Args:
        is_more: Not all that was found was counted.
    """
    counts = {name: _conditions(name, told) for name, told in counted.items()}
    for condition in query.conditions:
        if (name := _facet_of(condition)) is not None and isinstance(condition, _NARROWS):
            counts[name].setdefault(condition, 0)
    return tuple(
        Facet(name, choices)
        for name, counted_here in counts.items()
        if (choices := _choices(query, counted_here, is_more))
        and (len(choices) > 1 or any(each.is_on for each in choices) or name in _ALWAYS)
    )


_FACETS = ("kind", "framework", "format", "label", "namespace", "author")
_ALWAYS = ("framework", "format", "label")
"""One value of another facet tells nothing: all models have it."""
_NARROWS = (HasLabel, HasText, HasValue)


def count(traits: Sequence[Trait], labels: Mapping[int, Mapping[str, str]]) -> Counted:
    """What one version of each model has, as plain pairs, of which a thousand are soon counted.

    Args:
        labels: By the model's id.
    """
    told: dict[str, list[_Told]] = {name: [] for name in _FACETS}
    for trait in traits:
        told["kind"].append((trait.kind, ""))
        if trait.framework:
            told["framework"].append((trait.framework.casefold(), ""))
        told["format"].extend((name.casefold(), "") for name in trait.formats.split())
        if own := labels.get(trait.model_id):
            told["label"].extend(own.items())
        space, slash, _ = trait.name.rpartition("/")
        if slash:
            told["namespace"].append((space, ""))
        if trait.author.strip():
            told["author"].append((trait.author, ""))
    return {name: Counter(pairs) for name, pairs in told.items()}


def _conditions(name: str, counted: Counter[_Told]) -> dict[Condition, int]:
    """The most usual values, as what a query says of them."""
    return {_condition(name, *told): count for told, count in counted.most_common(2 * _LONGEST)}


def _condition(name: str, text: str, value: str) -> Condition:
    match name:
        case "kind" | "framework" | "format":
            return HasValue(name, text)
        case "label":
            return HasLabel(text, value or None)
        case "namespace":
            return HasText("name", f"{text}/")
    return HasText("author", text)


def _facet_of(condition: object) -> str | None:
    match condition:
        case HasValue(field="kind" | "framework" | "format" as field):
            return field
        case HasLabel():
            return "label"
        case HasText(field="author"):
            return "author"
        case HasText(field="name", text=text) if text.endswith("/"):
            return "namespace"
    return None


def _choices(query: Query, counted: dict[Condition, int], is_more: bool) -> tuple[Choice, ...]:
    asked = {each for each in query.conditions if each in counted}
    usual = sorted(counted.items(), key=lambda item: (-item[1], _shown(item[0])))
    first = [item for item in usual if item[0] in asked]
    rest = [item for item in usual if item[0] not in asked]
    return tuple(
        Choice(_shown(condition), count, is_more, condition in asked,
               str(_toggled(query, condition)))
        for condition, count in [*first, *rest][:_LONGEST]
    )  # fmt: skip


def _toggled(query: Query, condition: Condition) -> Query:
    if condition in query.conditions:
        kept: Iterable[object] = (each for each in query.conditions if each != condition)
        return replace(query, conditions=tuple(kept))  # type: ignore[arg-type]
    return replace(query, conditions=(*query.conditions, condition))


def _shown(condition: object) -> str:
    match condition:
        case HasValue(value=value):
            return value
        case HasLabel(key, value):
            return key if not value else f"{key}={value}"
        case HasText(field="author", text=text):
            return text.partition("<")[0].strip() or text
        case HasText(text=text):
            return text
    return str(condition)
