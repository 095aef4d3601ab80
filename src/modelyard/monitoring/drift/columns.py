"""What is compared of two tiles, as arrays: each column, what was predicted, and its scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from modelyard.core.monitoring import Column, ColumnWindow
from modelyard.monitoring.drift.distances import js
from modelyard.monitoring.sketched import with_sketches
from modelyard.monitoring.tiles import SCORE_BINS, NumberTile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import CategoryTile, PredictedTile, Tile

__all__ = ["PREDICTIONS", "SCORES", "Pair", "columns_of", "pairs_of"]

Array: TypeAlias = "np.ndarray[Any, Any]"

PREDICTIONS = "predictions"
SCORES = "scores"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One column of a window beside the same of the reference: counts in the same bins."""

    column: Column
    window: Array
    """int64 [bins], of rows with a value; so is `reference`."""
    reference: Array
    window_nulls: int
    reference_nulls: int
    window_moments: tuple[float, float] | None
    """Mean and standard deviation, of numbers."""
    reference_moments: tuple[float, float] | None
    low: float
    """Of both sides: the least value, and the greatest."""
    high: float
    violations: dict[str, int]
    answer: bool = False
    """Came out, and did not go in."""
    candidates: int = 1
    """It was chosen from so many, because it moved most."""


def pairs_of(reference: Tile, window: Tile) -> list[Pair]:
    """All but vectors: inputs in the order of the schema, predictions, scores of each class."""
    schema = window.schema
    numbers = iter(zip(window.numbers, reference.numbers, strict=True))
    categories = iter(zip(window.categories, reference.categories, strict=True))
    found: list[Pair] = []
    for column in schema.columns:
        if column.kind == "number":
            found.append(_number(column, *next(numbers)))
        elif column.kind == "category":
            found.append(_category(column, *next(categories)))
    return [*found, *_answers(window, reference)]


def columns_of(profile: Profile, window: Tile) -> tuple[ColumnWindow, ...]:
    """Columns of a window beside their reference, for pictures.

    Inputs in the order of the schema (without vectors), then `predictions`, then `scores`: of two
    classes those of the second, of more those of the class whose scores moved most. Counts are
    those of the schema's bins; of categories the last counts all others.
    """
    reference = profile.tile
    found = [_picture(pair) for pair in pairs_of(reference, window)]
    return tuple(with_sketches(each, reference, window) for each in found)


def _picture(pair: Pair) -> ColumnWindow:
    now, then = pair.window_moments, pair.reference_moments
    return ColumnWindow(
        column=pair.column,
        counts=tuple(pair.window.tolist()),
        reference=tuple(pair.reference.tolist()),
        mean=now[0] if now else None,
        std=now[1] if now else None,
        reference_mean=then[0] if then else None,
        reference_std=then[1] if then else None,
    )


def _number(
    column: Column, window: NumberTile, reference: NumberTile, *, answer: bool = False
) -> Pair:
    violations = {
        "null": _beyond(window.nulls, window.rows, reference.nulls, reference.rows),
        "out-of-range": window.outside,
        "not-finite": window.infinite,
    }
    return Pair(
        column, window.counts, reference.counts, window.nulls, reference.nulls,
        _moments(window), _moments(reference),
        min(window.low, reference.low), max(window.high, reference.high),
        {kind: count for kind, count in violations.items() if count}, answer,
    )  # fmt: skip


def _category(column: Column, window: CategoryTile, reference: CategoryTile) -> Pair:
    others = 0 if reference.counts[-1] else int(window.counts[-1])
    violations = {
        "null": _beyond(window.nulls, window.rows, reference.nulls, reference.rows),
        "unknown-category": others,
    }
    return Pair(
        column, window.counts, reference.counts, window.nulls, reference.nulls, None, None,
        math.nan, math.nan, {kind: count for kind, count in violations.items() if count},
    )  # fmt: skip


def _answers(window: Tile, reference: Tile) -> Iterator[Pair]:
    schema, now, then = window.schema, window.predicted, reference.predicted
    if schema.values is not None and now.values is not None and then.values is not None:
        yield _number(_named(schema.values, PREDICTIONS), now.values, then.values, answer=True)
    if not schema.classes:
        return
    column = Column(name=PREDICTIONS, kind="category", categories=schema.classes)
    unlisted = 0 if then.labels[-1] else int(now.labels[-1])
    found = {"unknown-category": unlisted, "not-finite": now.not_finite}
    yield Pair(
        column, now.labels, then.labels, 0, 0, None, None, math.nan, math.nan,
        {kind: count for kind, count in found.items() if count}, True,
    )  # fmt: skip
    if now.scored and then.scored:
        yield from _scores(schema.classes, now, then)


def _scores(
    classes: tuple[str, ...], window: PredictedTile, reference: PredictedTile
) -> Iterator[Pair]:
    """Of two classes the second (the first says the same); of more the one that moved most."""
    edges = tuple((np.arange(1, SCORE_BINS) / SCORE_BINS).tolist())
    middles = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
    one = 1 if len(classes) == 2 else int(js(window.scores, reference.scores).argmax())
    now, then = window.scores[one], reference.scores[one]
    yield Pair(
        Column(name=SCORES, kind="number", edges=edges, low=0.0, high=1.0), now, then, 0, 0,
        _weighted(now, middles), _weighted(then, middles), 0.0, 1.0, {}, True,
        1 if len(classes) == 2 else len(classes),
    )  # fmt: skip


def _beyond(nulls: int, rows: int, then: int, total: int) -> int:
    """Nulls that the reference's share of them does not explain."""
    if not then:
        return nulls
    share = then / total
    expected = rows * share
    within = expected + 4 * math.sqrt(rows * share * (1 - share) * (1 + rows / total)) + 1
    return 0 if nulls <= within else round(nulls - expected)


def _moments(tile: NumberTile) -> tuple[float, float] | None:
    count = int(tile.counts.sum())
    return (tile.mean, math.sqrt(tile.m2 / count)) if count else None


def _weighted(counts: Array, middles: Array) -> tuple[float, float] | None:
    total = counts.sum()
    if not total:
        return None
    mean = float(counts @ middles / total)
    return mean, math.sqrt(float(counts @ (middles - mean) ** 2 / total))


def _named(column: Column, name: str) -> Column:
    return Column(
        name=name, kind=column.kind, edges=column.edges, low=column.low, high=column.high,
        nulls=column.nulls,
    )  # fmt: skip
