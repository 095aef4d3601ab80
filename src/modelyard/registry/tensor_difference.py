"""One tensor in two versions: how its values lie, and where in it they moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.closeness import Closeness
from modelyard.core.names import ModelRevision
from modelyard.core.version import TensorEntry
from modelyard.errors import NotFound
from modelyard.registry.files import contents
from modelyard.registry.tensor_pairs import blocks_of, match, tensors_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.registry.house import House
    from modelyard.registry.tensor_pairs import StoredTensor

__all__ = ["Bins", "Summary", "TensorDifference", "difference_of"]

_BINS = 48
_MAP = 24
_MOST = 8 << 20
"""Elements that are looked at; of a larger tensor, that many spread over it."""
_TAILS = (0.05, 99.95)
"""Percentiles at which histograms end: one value far out would squeeze all others together."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """How values lie."""

    low: float
    high: float
    mean: float
    deviation: float
    zeros: int
    strange: int
    """Values that are no finite numbers."""


@dataclass(frozen=True, slots=True)
class Bins:
    """How many values lie between neighbouring edges; those beyond are in the outermost ones."""

    edges: tuple[float, ...]
    old: tuple[int, ...]
    """Empty if there is no old tensor, or none was asked for."""
    new: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """A tensor before and after. What can't be told is None."""

    old: TensorEntry | None
    new: TensorEntry | None
    relative_change: float | None
    """Euclidean norm of the difference over that of the old values."""
    cosine: float | None
    max_abs: float | None
    old_values: Summary | None
    new_values: Summary | None
    bins: Bins | None
    difference: Bins | None
    """Of new minus old, as `new`."""
    blocks: tuple[tuple[float | None, ...], ...]
    """Relative change of parts: rows of the tensor from top to bottom, all else from left."""
    elements: int
    """How many it has."""
    looked_at: int
    """How many of them were looked at: not all of a very large tensor."""


def difference_of(house: House, a: str, b: str, name: str, file: str = "") -> TensorDifference:
    """Look at one tensor of versions `a` and `b`, each `MODEL@REV`. NotFound: `no-tensor`.

    Args:
        name: On the new side, or on the old if it was removed.
        file: In which it is, where several files have such a tensor.
    """
    sides = []
    for text in (a, b):
        parsed = ModelRevision.parse(text)
        revision = None if parsed.revision is None else str(parsed.revision)
        sides.append(tensors_of(house, contents(house, parsed.model.text, revision)))
    pairs, removed, added = match(*sides)
    for old, new in pairs:
        if _is(new, name, file):
            return _pair(old, new)
    for tensor in added:
        if _is(tensor, name, file):
            return _alone(tensor, is_new=True)
    for tensor in removed:
        if _is(tensor, name, file):
            return _alone(tensor, is_new=False)
    raise NotFound("no-tensor", f"neither version has a tensor {name}", hint="yard show lists them")


def _is(tensor: StoredTensor, name: str, file: str) -> bool:
    return tensor.info.name == name and file in ("", tensor.file)


def _pair(old: StoredTensor, new: StoredTensor) -> TensorDifference:
    if old.info.shape != new.info.shape:
        before, after = _read(old, old), _read(new, new)
        x, y = before.old, after.new
        return _told(old, new, None, x, y, None, (), max(len(x), len(y)))
    found = _read(old, new)
    if not len(found.new):
        return _told(old, new, None, found.old, found.new, None, (), 0)
    with np.errstate(all="ignore"):  # infinite on both sides
        gap = found.new - found.old
    blocks = _blocks(found, gap, new)
    return _told(old, new, found.close, found.old, found.new, gap, blocks, len(gap))


def _alone(tensor: StoredTensor, *, is_new: bool) -> TensorDifference:
    values = _read(tensor, tensor).new
    none = values[:0]
    if is_new:
        return _told(None, tensor, None, none, values, None, (), len(values))
    return _told(tensor, None, None, values, none, None, (), len(values))


@dataclass(slots=True)
class _Read:
    old: Array
    new: Array
    starts: list[tuple[int, int]]
    """Where each stretch of values lies in the tensor, and how long it is."""
    close: Closeness


def _read(old: StoredTensor, new: StoredTensor) -> _Read:
    every = max(1, -(-new.info.elements // _MOST))
    xs, ys, starts, close = [], [], [], Closeness()
    for at, x, y in blocks_of(old, new, every=every):
        a, b = _real(x), _real(y)
        xs.append(a.copy())
        ys.append(b.copy())
        starts.append((at, len(a)))
        close.add(a, b)
    empty = np.zeros(0, np.float32)
    return _Read(
        np.concatenate(xs) if xs else empty, np.concatenate(ys) if ys else empty, starts, close
    )


def _real(values: Array) -> Array:
    return np.abs(values) if values.dtype.kind == "c" else values


def _told(
    old: StoredTensor | None,
    new: StoredTensor | None,
    close: Closeness | None,
    x: Array,
    y: Array,
    gap: Array | None,
    blocks: tuple[tuple[float | None, ...], ...],
    looked_at: int,
) -> TensorDifference:
    return TensorDifference(
        old=None if old is None else TensorEntry.of(old.file, old.info),
        new=None if new is None else TensorEntry.of(new.file, new.info),
        relative_change=close.relative_change if close else None,
        cosine=close.cosine if close else None,
        max_abs=close.max_abs if close else None,
        old_values=_summary(x), new_values=_summary(y), bins=_bins(x, y),
        difference=_bins(gap[:0], gap) if gap is not None and gap.any() else None,
        blocks=blocks, elements=max(t.info.elements for t in (old, new) if t is not None),
        looked_at=looked_at,
    )  # fmt: skip


def _summary(values: Array) -> Summary | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    return Summary(
        float(known.min()), float(known.max()), float(known.mean(dtype=np.float64)),
        float(known.std(dtype=np.float64)), int((known == 0).sum()), len(values) - len(known),
    )  # fmt: skip


def _bins(old: Array, new: Array) -> Bins | None:
    """Both counted between the same edges."""
    sides = [values[np.isfinite(values)] for values in (old, new)]
    thin = [side[:: max(1, len(side) // 200_000)] for side in sides if len(side)]
    if not thin:
        return None
    sample = np.concatenate(thin)
    low, high = (float(v) for v in np.percentile(sample, _TAILS))
    if not low < high:
        low, high = float(sample.min()), float(sample.max())
    if not low < high:
        low, high = low - 0.5, high + 0.5
    counts = [_counted(side, low, high) if len(side) else () for side in sides]
    edges = tuple(float(edge) for edge in np.linspace(low, high, _BINS + 1))
    return Bins(edges, *counts)


def _counted(values: Array, low: float, high: float) -> tuple[int, ...]:
    at = ((values.astype(np.float64) - low) * (_BINS / (high - low))).astype(np.int64)
    return tuple(np.bincount(np.clip(at, 0, _BINS - 1), minlength=_BINS).tolist())


def _blocks(found: _Read, gap: Array, tensor: StoredTensor) -> tuple[tuple[float | None, ...], ...]:
    """Sums over parts of the tensor, as a matrix of its first dimension by all others."""
    shape: Sequence[int] = tensor.info.shape
    turned = tensor.info.order == "F" and len(shape) > 1
    if turned:
        shape = tuple(reversed(shape))
    high = shape[0] if shape else 1
    wide = max(tensor.info.elements // max(high, 1), 1)
    rows, columns = min(high, _MAP), min(wide, _MAP)
    if rows * columns < 2:
        return ()
    index = np.concatenate([np.arange(at, at + count) for at, count in found.starts])
    place = (index // wide) * rows // high * columns + (index % wide) * columns // wide
    with np.errstate(all="ignore"):
        moved = np.bincount(place, np.square(gap, dtype=np.float64), rows * columns)
        before = np.bincount(place, np.square(found.old, dtype=np.float64), rows * columns)
        ratio = np.sqrt(moved / before).reshape(rows, columns)
    if turned:
        ratio = ratio.T
    return tuple(tuple(float(v) if np.isfinite(v) else None for v in row) for row in ratio.tolist())
