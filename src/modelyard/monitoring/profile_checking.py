"""Whether a reference fits together, before anything is made of it: it may come from anybody.

What does not fit is found here, once, and not by whoever folds rows of other deployments too.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.monitoring.outputs import MOST_CLASSES
from modelyard.monitoring.quality.residuals import Blocks
from modelyard.monitoring.reference import HASHES, SAMPLE
from modelyard.monitoring.schemas import LARGEST_ROW, LONGEST_NAME
from modelyard.monitoring.vectors import width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.monitoring import Column, Schema
    from modelyard.monitoring.reference import Profile
    from modelyard.monitoring.rows import Array

__all__ = ["check_profile", "check_schema"]

_COLUMNS: Final = 4_096
_NUMBERS: Final = 1_024
"""Columns of numbers: each has a covariance with each."""
_PLACES: Final = 1_024
"""Edges, or categories, of a column."""
_GROUPS: Final = 16


def check_schema(schema: Schema) -> None:
    """Raises InvalidInput (`bad-schema`) if a schema takes more than a reference may."""
    columns = [*schema.columns, *([] if schema.values is None else [schema.values])]
    known = {column.name for column in schema.of_kind("category")}
    _need(len(schema.columns) <= _COLUMNS, f"it has more than {_COLUMNS:,} columns")
    numbers = len(schema.of_kind("number"))
    _need(numbers <= _NUMBERS, f"it has more than {_NUMBERS:,} columns of numbers")
    _need(len(schema.classes) <= MOST_CLASSES, f"it has more than {MOST_CLASSES} classes")
    _need(len(schema.groups) <= _GROUPS, f"it has more than {_GROUPS} columns of groups")
    _need(known.issuperset(schema.groups), "groups are columns of categories")
    _need(len(set(schema.groups)) == len(schema.groups), "columns of groups are named once")
    _need(
        all(len(name) <= LONGEST_NAME for name in (*schema.classes, *(c.name for c in columns))),
        f"a name has at most {LONGEST_NAME} characters",
    )
    _need(schema.values is None or schema.values.kind == "number", "it predicts numbers")
    for column in columns:
        _check_column(column)


def _check_column(column: Column) -> None:
    size = LARGEST_ROW if column.kind == "vector" else 1
    _need(1 <= column.size <= size, "a vector has at least one element, and not too many")
    edges, texts = column.edges, column.categories
    _need(max(len(edges), len(texts)) <= _PLACES, f"a column has more than {_PLACES:,} bins")
    _need(all(map(math.isfinite, edges)), "edges of bins are finite")
    _need(all(a < b for a, b in pairwise(edges)), "edges of bins ascend")
    _need(column.kind != "vector" or all(edge > 0 for edge in edges), "a kernel has a width")
    _need(all(len(text) <= LONGEST_NAME for text in texts), "a category is too long")
    _need(len(set(texts)) == len(texts), "a category is there once")
    ends = [end for end in (column.low, column.high) if end is not None]
    _need(all(map(math.isfinite, ends)) and ends == sorted(ends), "a range has two ends")
    _need(0 <= column.nulls <= 1, "a share is from 0 to 1")


def check_profile(profile: Profile) -> None:
    """Raises InvalidInput (`bad-schema`) if arrays are not those of the schema, which was
    checked before."""
    schema = profile.schema
    numbers, texts = len(schema.of_kind("number")), schema.of_kind("category")
    vectors = schema.of_kind("vector")
    sample = len(profile.numbers)
    _need(sample <= SAMPLE, "its sample is too large")
    hashes = profile.hashes
    _need(len(hashes) <= HASHES and bool((hashes[1:] >= hashes[:-1]).all()), "its hashes ascend")
    _shape(profile.mean, (numbers,))
    _shape(profile.covariance, (numbers, numbers))
    _shape(profile.numbers, (sample, numbers))
    _shape(profile.categories, (sample, len(texts)))
    _shape(profile.confidence, (sample,))
    _need(len(profile.spreads) == len(profile.vectors) == len(vectors), "vectors are missing")
    for column, spread, rows in zip(vectors, profile.spreads, profile.vectors, strict=True):
        _shape(spread, (width(column),))
        _shape(rows, (sample, width(column)))
    _need(bool(np.isfinite(profile.mean).all()), "a mean is a number")
    _need(bool(np.isfinite(profile.covariance).all()), "a covariance is a number")
    if profile.categories.size:
        most = np.array([len(column.categories) + 1 for column in texts])
        placed = (profile.categories >= 0) & (profile.categories <= most)
        _need(bool(placed.all()), "a category of its sample is none")
    if profile.residuals.size:
        classes = len(schema.classes)
        _shape(profile.residuals, (2 if classes == 2 else 1, Blocks(schema).size))
        _need(bool(np.isfinite(profile.residuals).all()), "an effect is a number")
    _check_maps(profile.calibration.maps, len(schema.classes))


def _check_maps(maps: Sequence[tuple[Array, Array]], classes: int) -> None:
    _need(len(maps) in (0, 1 if classes == 2 else classes), "each class has a map of its scores")
    for scores, shares in maps:
        _need(scores.ndim == 1 and len(scores) > 0, "a map of scores is not empty")
        _shape(shares, scores.shape)
        _need(bool(np.isfinite([scores, shares]).all()), "a map of scores is of numbers")
        _need(bool((np.diff(scores) >= 0).all()), "a map of scores ascends")


def _shape(array: Array, shape: tuple[int, ...]) -> None:
    _need(array.shape == shape, f"an array has the shape {array.shape} and not {shape}")


def _need(holds: bool, why: str) -> None:
    if not holds:
        raise InvalidInput("bad-schema", f"it can't be a reference: {why}")
