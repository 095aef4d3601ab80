"""Rows that one version answered, as arrays: what tiles are folded from. Only the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from modelyard.core.monitoring import Schema

__all__ = ["Array", "Asked", "Rows"]

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(slots=True, eq=False)
class Rows:
    """Some rows, in the order of a schema. Arrays may be read-only; nobody changes them."""

    schema: Schema
    count: int
    numbers: Array
    """float64 [count, columns of kind `number`]; NaN: no value."""
    categories: tuple[Sequence[str | None], ...] = ()
    """Of each column of kind `category`, a text for each row; None: no value."""
    vectors: tuple[Array, ...] = ()
    """Of each column of kind `vector`, float32 [count, size]."""
    labels: Array | None = None
    """int32 [count]: the predicted class by its place in `schema.classes`; -1: none of them."""
    scores: Array | None = None
    """float64 [count, classes]: probabilities, in the order of `schema.classes`."""
    values: Array | None = None
    """float64 [count]: what is predicted otherwise."""
    truth: Array | None = None
    """Of references: int32 [count] classes (-1: unknown) or float64 [count] (NaN: unknown)."""
    requests: Sequence[str] = ()
    """Ids, one a row, of what was asked; several rows of a request have the same one."""
    places: Array | None = None
    """int32 [count]: which row of its request each is."""
    clients: Sequence[str] = ()
    """Names, one a row."""


@dataclass(slots=True, eq=False)
class Asked:
    """Requests of one version in one second or less: how they went. Times are nanoseconds."""

    second: int
    """Since 1970: of the first of them."""
    outcomes: Mapping[str, int]
    """By `ok` or the kind of error."""
    total: Array
    """int64, of those that were answered; so are the next four."""
    queue: Array
    preprocess: Array
    predict: Array
    postprocess: Array
    rows: int
    batches: Array
    """int64: rows that were computed together, of each answer."""
    clients: Mapping[str, int] = field(default_factory=dict)
    cold: int = 0
    """Requests that had to wait until the version was loaded."""
