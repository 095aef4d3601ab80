"""What is to be watched of a version, found in rows that it was asked about.

Edges lie half way between values that occur, so that a value that passed through float32 stays in
its bin. A column of few values has a bin for each; a value that is often there (a zero, mostly) has
one of its own; else bins are 32 quantiles.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Column, Schema
from modelyard.errors import InvalidInput
from modelyard.monitoring.extracting import MOST_COLUMNS, text_of
from modelyard.monitoring.outputs import MOST_CLASSES
from modelyard.monitoring.predictions import MOST_GROUPS
from modelyard.monitoring.vectors import shrunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.monitoring import Task
    from modelyard.monitoring.rows import Array

__all__ = [
    "LARGEST_ROW", "LONGEST_NAME", "MOST_COLUMNS", "edges_of", "number_column", "schema_of",
]  # fmt: skip

LARGEST_ROW: Final = 10_000_000
"""Elements of a vector, beyond which it is not watched."""
LONGEST_NAME: Final = 500
"""Characters, beyond which a column is not watched."""
_BINS: Final = 32
_LEAST: Final = 10
_EACH: Final = 40
"""Rows in a bin, at least, or there are fewer bins: tests of counts need some in each."""
_FEW: Final = 32
"""Different values, that have a bin each."""
_ATOM: Final = 1 / 32
"""Share of rows with the same value, that gives it a bin of its own."""
_ATOMS: Final = 16
_CATEGORIES: Final = 256
_LONGEST: Final = 200
_WIDE: Final = 256
"""Elements of a row, above which they are a vector."""
_PAIRS: Final = 2_000


def schema_of(
    columns: Mapping[str, Array],
    *,
    task: Task = "other",
    classes: Sequence[str] = (),
    groups: Sequence[str] = (),
    values: Array | None = None,
) -> Schema:
    """The schema of a version whose inputs look like these.

    Args:
        columns: By name; the first axis is the row. Texts are objects.
        groups: Columns with at most 32 values; they are taken for categories.
        values: float64 [rows]: what it predicted, if no classes.

    Raises:
        InvalidInput: `no-group-column`, `bad-group`.
    """
    found = [made for name, array in columns.items() for made in _columns(name, array, groups)]
    if len(found) > MOST_COLUMNS:
        kept = {column.name for column in found if column.name in groups}
        kept |= {column.name for column in found[: MOST_COLUMNS - len(kept)]}
        found = [column for column in found if column.name in kept]
    known = {column.name for column in found}
    for name in groups:
        if name not in known:
            raise InvalidInput(
                "no-group-column", f"the model is not asked with a column {name!r}",
                hint=f"one of {', '.join(list(columns)[:8])}",
            )  # fmt: skip
    return Schema(
        columns=tuple(found), task=task,
        classes=tuple(classes[:MOST_CLASSES]) if task == "classification" else (),
        groups=tuple(groups),
        values=None if values is None else number_column("prediction", values),
    )  # fmt: skip


def _columns(name: str, array: Array, groups: Sequence[str]) -> list[Column]:
    """A column of a table is one, a matrix several, and what is wider a vector."""
    kind = array.dtype.kind
    size = int(np.prod(array.shape[1:])) if array.ndim > 1 else 1
    if kind not in "biufOSU" or (kind in "OSU" and size > 1) or not size:
        return []  # times move by themselves
    if size > LARGEST_ROW or len(f"{name}[{size}]") > LONGEST_NAME:
        return []
    if name in groups:
        return [_group(name, array.reshape(len(array)) if size == 1 else array)]
    if kind in "OSU":
        return [_category(name, array.reshape(-1))]
    if size > _WIDE:
        return [_vector(name, array.reshape(len(array), size))]
    flat = array.reshape(len(array), size).astype(np.float64)
    if array.ndim == 1 or size == 1:
        return [number_column(name, flat[:, 0])]
    return [number_column(f"{name}[{i}]", flat[:, i]) for i in range(size)]


def number_column(name: str, values: Array) -> Column:
    """A column of numbers, from float64 [rows]; NaN: no value."""
    finite = np.sort(values[np.isfinite(values)])
    nulls = float(np.isnan(values).mean()) if len(values) else 0.0
    if not len(finite):
        return Column(name=name, kind="number", nulls=nulls)
    return Column(
        name=name, kind="number", edges=edges_of(finite), low=float(finite[0]),
        high=float(finite[-1]), nulls=nulls,
    )  # fmt: skip


def edges_of(ordered: Array) -> tuple[float, ...]:
    """Where bins end, ascending: of finite values that are sorted, at least one."""
    distinct, counts = np.unique(ordered, return_counts=True)
    if len(distinct) <= _FEW:
        after = np.arange(len(distinct) - 1)
    else:
        often = np.flatnonzero(counts >= max(_ATOM * len(ordered), 2))
        often = often[np.argsort(-counts[often], kind="stable")[:_ATOMS]]
        rest = counts.copy()
        rest[often] = 0  # quantiles are of what has no bin of its own
        upto = np.cumsum(rest)
        bins = min(max(len(ordered) // _EACH, _LEAST), _BINS)
        after = np.searchsorted(upto, np.arange(1, bins) * upto[-1] / bins)
        after = np.unique(np.concatenate([after, often, often - 1]))
        after = after[(after >= 0) & (after < len(distinct) - 1)]
    below, above = distinct[after], distinct[after + 1]
    middle = below + (above - below) / 2
    return tuple(np.unique(middle[np.isfinite(middle)]).tolist())


def _category(name: str, values: Array) -> Column:
    texts = _texts(values)
    nulls = texts.pop(None, 0)
    # What occurs once is a name or a number of something, and says nothing of others.
    known = [text for text, times in texts.most_common(_CATEGORIES) if times > 1 and text]
    return Column(
        name=name, kind="category", categories=tuple(str(text) for text in known),
        nulls=nulls / max(len(values), 1),
    )  # fmt: skip


def _group(name: str, values: Array) -> Column:
    texts = _texts(values) if values.ndim == 1 else Counter()
    nulls = texts.pop(None, 0)
    if not 0 < len(texts) <= MOST_GROUPS:
        raise InvalidInput(
            "bad-group", f"{name} has {len(texts):,} different values: groups are 1 to 32",
            hint="make a column of ranges, such as 18-30, and name that",
        )  # fmt: skip
    return Column(
        name=name, kind="category", nulls=nulls / max(len(values), 1),
        categories=tuple(str(text) for text, _ in texts.most_common()),
    )  # fmt: skip


def _texts(values: Array) -> Counter[str | None]:
    """How often each text is there; numbers as a request's are written."""
    times = Counter(values.tolist())
    found: Counter[str | None] = Counter()
    for value, count in times.items():
        found[text_of(value)] += count
    return found


def _vector(name: str, vectors: Array) -> Column:
    """With the width of its kernel: the median distance of two rows."""
    short = shrunk(vectors[:_PAIRS]).astype(np.float64)
    short = short[np.isfinite(short).all(axis=1)]
    width = 0.0
    if len(short) > 1:
        apart = short - np.roll(short, len(short) // 2, axis=0)
        width = float(np.median(np.sqrt(np.einsum("ij,ij->i", apart, apart))))
    return Column(
        name=name, kind="vector", size=vectors.shape[1], edges=(width,) if width > 0 else ()
    )
