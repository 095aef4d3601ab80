"""Rows folded into tiles, and tiles into one another.

All in numpy, a few calls for each column, however many rows come at once; nothing is kept of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.monitoring.categories import Places, fold_category, merge_category, new_category
from modelyard.monitoring.numbers import fold_numbers, merge_number, new_number, queries_of
from modelyard.monitoring.performances import (
    fold_performance,
    merge_performance,
    new_performance,
)
from modelyard.monitoring.predictions import (
    fold_groups,
    fold_predicted,
    group_columns,
    merge_group,
    merge_predicted,
    new_group,
    new_predicted,
)
from modelyard.monitoring.redaction import is_redacted
from modelyard.monitoring.tiles import Tile
from modelyard.monitoring.together import (
    Frame,
    fold_together,
    frame_of,
    merge_together,
    new_together,
)
from modelyard.monitoring.truths import fold_truth, merge_truth, new_truth
from modelyard.monitoring.vectors import fold_vectors, merge_vector, new_vector

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from modelyard.core.monitoring import Column, Schema
    from modelyard.monitoring.calibration import Calibration
    from modelyard.monitoring.rows import Array, Asked, Rows

__all__ = ["fold", "fold_asked", "group_codes", "merge", "new_tile"]

_PLANS: Final = 64


@dataclass(slots=True, eq=False)
class _Plan:
    """What is made once of a schema."""

    schema: Schema
    queries: list[Array]
    places: list[Places]
    names: list[str]
    """Of the categories."""
    vectors: tuple[Column, ...]
    groups: Sequence[Column]
    values: Array | None
    frame: Frame


_plans: dict[int, _Plan] = {}
"""By the identity of a schema, which the plan keeps alive: hashing 200 columns takes longer than
folding a few rows."""


def _plan(schema: Schema) -> _Plan:
    found = _plans.get(id(schema))
    if found is not None and found.schema is schema:
        return found
    texts = schema.of_kind("category")
    made = _Plan(
        schema, [queries_of(column) for column in schema.of_kind("number")],
        [Places(column.categories) for column in texts], [column.name for column in texts],
        schema.of_kind("vector"), group_columns(schema),
        None if schema.values is None else queries_of(schema.values),
        frame_of(schema.of_kind("number")),
    )  # fmt: skip
    if len(_plans) >= _PLANS:
        _plans.clear()
    _plans[id(schema)] = made
    return made


def new_tile(schema: Schema, redact: Collection[str] = ()) -> Tile:
    """A tile of nothing yet.

    Args:
        redact: Columns of which no text is to be kept: what is no category is only counted.
    """
    tile = Tile(
        schema, 0, [new_number(column) for column in schema.of_kind("number")],
        [new_category(column) for column in schema.of_kind("category")],
        [new_vector(column) for column in schema.of_kind("vector")], new_predicted(schema),
        {column.name: new_group(column, schema) for column in group_columns(schema)},
        new_performance(), new_truth(schema), new_together(schema.of_kind("number")),
    )  # fmt: skip
    if redact:
        for column, category in zip(schema.of_kind("category"), tile.categories, strict=True):
            if is_redacted(column.name, redact):
                category.distinct = category.frequent = None
    return tile


@np.errstate(over="ignore", invalid="ignore")  # what comes may be anything
def fold(tile: Tile, rows: Rows, calibration: Calibration | None = None) -> None:
    """Add rows to a tile of their schema, with their truth if they have one.

    Args:
        calibration: Of the version's profile: what its scores really mean.

    Raises:
        InvalidInput: `other-schema`.
    """
    _check(tile, rows.schema)
    plan = _plan(tile.schema)
    tile.rows += rows.count
    fold_numbers(tile.numbers, plan.queries, rows.numbers)
    fold_together(tile.together, plan.frame, rows.numbers)
    codes = {}
    for name, places, column, texts in zip(
        plan.names, plan.places, tile.categories, rows.categories, strict=True
    ):
        codes[name] = places.codes(texts)
        fold_category(column, codes[name], texts)
    for vector, of, values in zip(tile.vectors, plan.vectors, rows.vectors, strict=True):
        fold_vectors(vector, of, values)
    likely = fold_predicted(tile.predicted, rows, plan.values, calibration)
    if tile.groups:
        fold_groups(tile.groups, codes, rows, likely)
    if rows.truth is not None:
        _fold_reference(tile, rows, {name: codes[name] for name in tile.groups})


def _fold_reference(tile: Tile, rows: Rows, groups: dict[str, Array]) -> None:
    confidence = second = None
    truth, scores, labels = rows.truth, rows.scores, rows.labels
    assert truth is not None
    if scores is not None and labels is not None:
        # Of -1 it is some other class's, and not looked at.
        confidence = np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
        if scores.shape[1] == 2:
            second = scores[:, 1]
    fold_truth(
        tile.truth, tile.schema, truth, labels=labels, confidence=confidence, second=second,
        values=rows.values, groups=groups,
    )  # fmt: skip


def fold_asked(tile: Tile, asked: Asked) -> None:
    """Add how some requests went."""
    fold_performance(tile.performance, asked)


def group_codes(rows: Rows) -> dict[str, Array]:
    """By column of groups, int64 [rows]: the place of each row's group among the categories of the
    column; what is beyond `truths.group_count` belongs to the others."""
    plan = _plan(rows.schema)
    wanted = {column.name for column in plan.groups}
    return {
        name: places.codes(texts)
        for name, places, texts in zip(plan.names, plan.places, rows.categories, strict=True)
        if name in wanted
    }  # fmt: skip


def merge(into: Tile, other: Tile) -> None:
    """Add all that another tile of the same schema saw; the other stays as it is.

    Raises:
        InvalidInput: `other-schema`.
    """
    _check(into, other.schema)
    into.rows += other.rows
    for number, more in zip(into.numbers, other.numbers, strict=True):
        merge_number(number, more)
    for category, texts in zip(into.categories, other.categories, strict=True):
        merge_category(category, texts)
    for vector, waves in zip(into.vectors, other.vectors, strict=True):
        merge_vector(vector, waves)
    merge_predicted(into.predicted, other.predicted)
    for name, group in into.groups.items():
        merge_group(group, other.groups[name])
    merge_together(into.together, other.together)
    merge_performance(into.performance, other.performance)
    merge_truth(into.truth, other.truth)


def _check(tile: Tile, schema: Schema) -> None:
    if tile.schema is not schema and tile.schema != schema:
        raise InvalidInput("other-schema", "these rows are of another version's schema")
