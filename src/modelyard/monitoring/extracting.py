"""From requests, as a data plane has them, to rows in the order of a schema.

Nothing of this happens in the thread that answers: it is given many requests at once, so that what
it costs is shared by all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from modelyard.monitoring.outputs import predicted
from modelyard.monitoring.rows import Asked, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelyard.core.monitoring import Column, Schema
    from modelyard.monitoring.outputs import Scoring
    from modelyard.monitoring.rows import Array

    Feeds = Mapping[str, Array]

__all__ = ["MOST_COLUMNS", "One", "Timed", "asked_of", "joined", "reader_of", "text_of"]

MOST_COLUMNS: Final = 512
"""Columns of a version beyond these are not watched."""
_PLAIN: Final = "fiub"
"""Kinds of numpy's types that are plain numbers."""
_LONGEST: Final = 200
"""Characters of a text that are looked at."""


@dataclass(slots=True, eq=False)
class One:
    """A request that was answered: its tensors, whose first axis is the row, and what it was."""

    feeds: Feeds
    outputs: Feeds
    rows: int
    request: str
    client: str
    step: int = 1
    """Of a large request, every so many-th row is here."""


Timed: TypeAlias = tuple[int, int, int, int, int, int, int, str | None, str]
"""How one request went: begun, decoded, queued, computed, ended (nanoseconds of one clock), rows
that were computed together, its own rows, the kind of its error, its client. A plain tuple: there
is one for every request."""


def asked_of(requests: Sequence[Timed], second: int, cold: int = 0) -> Asked:
    """How several requests of about one second went."""
    outcomes = Counter([one[7] or "ok" for one in requests])
    good = [one[:7] for one in requests if one[7] is None]
    at = np.fromiter(chain.from_iterable(good), np.int64, len(good) * 7).reshape(-1, 7)
    begun, decoded, queued, computed, ended, batch, rows = at.T
    return Asked(
        second=second, outcomes=dict(outcomes), total=ended - begun, queue=queued - decoded,
        preprocess=decoded - begun, predict=computed - queued, postprocess=ended - computed,
        rows=int(rows.sum()), batches=np.maximum(batch, 1),
        clients=dict(Counter([one[8] for one in requests])), cold=cold,
    )  # fmt: skip


def joined(arrays: Iterable[Feeds], names: Iterable[str]) -> dict[str, Array]:
    """Tensors of several requests as one of each name. All have the same names and sides."""
    several = list(arrays)
    if len(several) == 1:
        return {name: several[0][name] for name in names}
    return {name: _concatenated([each[name] for each in several]) for name in names}


def _concatenated(arrays: list[Array]) -> Array:
    """As `np.concatenate`, which takes five times as long for many small arrays."""
    first = arrays[0]
    if first.dtype.kind not in _PLAIN:
        return np.concatenate(arrays)
    pieces: Any = arrays
    try:
        whole = np.frombuffer(b"".join(pieces), first.dtype)
    except BufferError:  # not contiguous
        return np.concatenate(arrays)
    return whole.reshape(-1, *first.shape[1:])


class _Reader:
    """How one schema is found in the tensors of one version's requests."""

    def __init__(self, schema: Schema, feeds: Feeds, scoring: Scoring | None) -> None:
        self.schema = schema
        self.scoring = scoring
        self.names = tuple(feeds)
        self._matrix = _matrix_of(schema, feeds)
        wide = _wide_of(schema, feeds)
        only = _nameless(schema, feeds)
        at = {column.name: _element(wide, i) for i, column in enumerate(schema.columns) if wide}
        self._numbers = [at.get(column.name) or _place(column.name, feeds, only)
                         for column in schema.of_kind("number")]  # fmt: skip
        self._categories = [at.get(column.name) or _place(column.name, feeds, only)
                            for column in schema.of_kind("category")]  # fmt: skip
        self._vectors = [_vector_place(column, feeds, only) for column in schema.of_kind("vector")]

    def rows(self, requests: Sequence[One]) -> Rows:
        """All rows of some requests, which have the same names and sides."""
        feeds = self._feeds(requests)
        outputs = joined([one.outputs for one in requests], requests[0].outputs)
        repeats = [one.rows for one in requests]
        count = sum(repeats)
        schema = self.schema
        labels, scores, values = predicted(outputs, schema.task, schema.classes, self.scoring)
        return Rows(
            schema, count, self._read_numbers(feeds, count),
            tuple(_texts(place, feeds, count) for place in self._categories),
            tuple(_vectors(place, feeds, column.size, count)
                  for place, column in zip(self._vectors, schema.of_kind("vector"), strict=True)),
            labels, scores, values, None,
            _each([one.request for one in requests], repeats), _places(requests, count),
            _each([one.client for one in requests], repeats),
        )  # fmt: skip

    def _feeds(self, requests: Sequence[One]) -> Feeds:
        """All of them joined. Many requests of one row, with a tensor for each column, at once."""
        first = requests[0].feeds
        kinds = {array.dtype for array in first.values()}
        is_plain = len(first) > 1 and len(kinds) == 1 and all(k.kind in _PLAIN for k in kinds)
        is_single = all(array.size == 1 for array in first.values())
        if is_plain and is_single and all(one.rows == 1 for one in requests):
            pieces: Any = chain.from_iterable([one.feeds.values() for one in requests])
            whole = np.frombuffer(b"".join(pieces), kinds.pop())
            return dict(zip(first, whole.reshape(-1, len(first)).T, strict=True))
        return joined([one.feeds for one in requests], self.names)

    def _read_numbers(self, feeds: Feeds, count: int) -> Array:
        if self._matrix is not None:
            whole = feeds[self._matrix].reshape(count, -1)[:, : len(self._numbers)]
            return whole.astype(np.float64, copy=False)
        numbers = np.full((count, len(self._numbers)), np.nan)
        for column, place in enumerate(self._numbers):
            if place is not None:
                numbers[:, column] = _as_numbers(place(feeds))
        return numbers


def reader_of(
    schema: Schema, feeds: Feeds, scoring: Scoring | None = None
) -> Callable[[Sequence[One]], Rows]:
    """What reads rows of requests with such tensors; columns that are not in them have no value.

    A column is the tensor of its name, or one element of a matrix: `input[3]` is the fourth of
    `input`. Where a version takes a single matrix, its columns are those of the schema in their
    order, whatever they are called: the first ones of a schema that has not room for all.

    Args:
        scoring: How the version's scores are read; None: as they look in each batch.
    """
    return _Reader(schema, feeds, scoring).rows


_Place = "Callable[[Feeds], Array] | None"


def _matrix_of(schema: Schema, feeds: Feeds) -> str | None:
    """The only tensor, if its columns are the schema's, which are all numbers."""
    if any(column.kind != "number" for column in schema.columns):
        return None
    return _wide_of(schema, feeds)


def _wide_of(schema: Schema, feeds: Feeds) -> str | None:
    """The only tensor, if it has an element for each column: some may be groups.

    It may have more if the schema was cut. Its columns are surely the first ones only if none of
    its groups is from beyond them: then they are as many less than it has room for.
    """
    if len(feeds) != 1 or schema.of_kind("vector"):
        return None
    (name, array), wide = next(iter(feeds.items())), len(schema.columns)
    sides = _side(array)
    if wide == 1 and sides == 1 and schema.columns[0].kind == "category":
        return name
    is_cut = wide == MOST_COLUMNS - len(schema.groups) and sides > wide
    is_fit = (sides == wide or is_cut) and (array.ndim > 1 or wide == 1)
    return name if is_fit and array.dtype.kind in "fiub" else None


def _element(tensor: str | None, at: int) -> Callable[[Feeds], Array]:
    return lambda now: now[str(tensor)].reshape(len(now[str(tensor)]), -1)[:, at]


def _nameless(schema: Schema, feeds: Feeds) -> str | None:
    """The only tensor, if no column says that it is meant: it may be called anything."""
    if len(feeds) != 1:
        return None
    (only,) = feeds
    names = [column.name for column in schema.columns]
    is_known = any(name == only or name.startswith(f"{only}[") for name in names)
    return None if is_known else only


def _place(column: str, feeds: Feeds, only: str | None) -> Callable[[Feeds], Array] | None:
    """Where a column is: what reads it, or None if it is not there."""
    if column in feeds:
        return lambda now: now[column].reshape(len(now[column]), -1)[:, 0] if (
            now[column].ndim > 1 and now[column].shape[1:] == (1,)
        ) else now[column]  # fmt: skip
    tensor, _, rest = column.rpartition("[")
    if rest.endswith("]") and rest[:-1].isdigit():
        at = int(rest[:-1])
        source = tensor if tensor in feeds else only
        if source is not None and _side(feeds[source]) > at:
            return lambda now: now[source].reshape(len(now[source]), -1)[:, at]
    return None


def _vector_place(
    column: Column, feeds: Feeds, only: str | None
) -> Callable[[Feeds], Array] | None:
    """The same of a vector, whatever its tensor is called."""
    if column.name in feeds or only is None or _side(feeds[only]) != column.size:
        return _place(column.name, feeds, None)
    return lambda now: now[only]


def _side(array: Array) -> int:
    return int(np.prod(array.shape[1:])) if array.ndim > 1 else 1


def _as_numbers(array: Array) -> Array:
    flat = array.reshape(len(array), -1)[:, 0] if array.ndim > 1 else array
    if flat.dtype.kind in "fiub":
        return flat
    found = np.full(len(flat), np.nan)
    for at, value in enumerate(flat.tolist()):
        try:
            found[at] = float(value)
        except (TypeError, ValueError):
            continue
    return found


def _texts(
    place: Callable[[Feeds], Array] | None, feeds: Feeds, count: int
) -> Sequence[str | None]:
    if place is None:
        return [None] * count
    array = place(feeds)
    flat = array.reshape(len(array), -1)[:, 0] if array.ndim > 1 else array
    return [text_of(value) for value in flat.tolist()]


def text_of(value: Any) -> str | None:
    """A value of a category as it is counted: 1.0 is `1`; None: no value."""
    if value is None or value != value:
        return None
    if isinstance(value, bytes):
        return value[:_LONGEST].decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)[:_LONGEST]


def _vectors(place: Callable[[Feeds], Array] | None, feeds: Feeds, size: int, count: int) -> Array:
    if place is not None:
        array = place(feeds)
        if array.dtype.kind in "fiub" and array.size == count * size:
            return array.reshape(count, size).astype(np.float32, copy=False)
    return np.full((count, size), np.nan, np.float32)


def _each(values: Sequence[str], repeats: Sequence[int]) -> Sequence[str]:
    if repeats.count(1) == len(repeats):
        return values
    return [value for value, times in zip(values, repeats, strict=True) for _ in range(times)]


def _places(requests: Sequence[One], count: int) -> Array:
    if len(requests) == count:
        return np.zeros(count, np.int32)
    return np.concatenate(
        [np.arange(one.rows, dtype=np.int32) * np.int32(one.step) for one in requests]
    )
