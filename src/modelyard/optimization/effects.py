"""What a pass did to a model: layer by layer, and to the importance of its inputs."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.closeness import Closeness
from modelyard.optimization.grown import apart, changes_of_trees
from modelyard.optimization.layers import layers_of
from modelyard.optimization.weights import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.optimization.layers import Layer
    from modelyard.optimization.state import Model

    Array = np.ndarray[Any, Any]

__all__ = ["changes_between"]

Json = Any

_MOST = 200
_BLOCK = 1 << 20
"""Elements that are read at once."""
_SMALL = 16
"""Elements: whole numbers that are fewer are shapes and axes of a graph, not weights."""
_WHOLE = 1 << 27
"""Elements of a tensor that may be read as a whole, to be turned."""
_NOTED = re.compile(r"(_rng|random_state|n_iter_|_optimizer|_best_coefs|_best_intercepts|loss_)")
_SCALES = ("_scale", "_scales", "_zero_point", "_zero_points")
_TURNS = {2: ((1, 0),), 4: ((3, 2, 0, 1), (2, 3, 1, 0))}
"""How libraries lay the same weights out: inputs or outputs first, channels first or last."""


def changes_between(before: Model, after: Model) -> tuple[Mapping[str, Json], ...]:
    """Layer by layer what differs, the most changed first, 200 at most.

    Layers are matched by name, then by shape in their order, whatever the formats; weights are
    read block by block. What was quantized is compared as the numbers that it stands for.

    Returns:
        For each layer that differs: `layer`; `what`: `changed`, `resized`, `added` or `removed`;
        `change`: Euclidean norm of the difference over that of the old weights; `cosine`;
        `sparsity`: share of weights that are zero; `dtype`, `shape`; `old_dtype`, `old_shape`
        if they differ. What is not known is left out. The trees of an ensemble are one layer of
        dtype `trees`, whose shape is (trees, nodes of all of them).
    """
    old_weights, old_trees = apart(weights_of(before.folder))
    new_weights, new_trees = apart(weights_of(after.folder))
    pairs, removed, added = _matched(_kept(layers_of(old_weights)), _kept(layers_of(new_weights)))
    rows = changes_of_trees(old_trees, new_trees)
    rows += [row for old, new in pairs if (row := _changed(old, new)) is not None]
    rows += [_alone(layer, "removed") for layer in removed if _is_weight(layer)]
    rows += [_alone(layer, "added") for layer in added if _is_weight(layer)]
    if before.saved.framework != after.saved.framework:
        # another format may hold the same as something else: trees as attributes of a node
        rows = [row for row in rows if row["what"] not in ("added", "removed")]
    return tuple(sorted(rows, key=_order)[:_MOST])


def _order(row: Mapping[str, Json]) -> tuple[int, float, str]:
    rank = {"resized": 0, "changed": 1, "added": 2, "removed": 3}[row["what"]]
    return rank, -row.get("change", 0.0), row["layer"]


def _kept(layers: list[Layer]) -> list[Layer]:
    """Without what estimators note of their training: chance, counts, the optimizer's memory."""
    return [layer for layer in layers if not _NOTED.search(layer.name)]


def _is_weight(layer: Layer) -> bool:
    """Not a scale of values that flow through a graph, nor a shape."""
    if layer.name.endswith(_SCALES):
        return False
    return layer.dtype.startswith(("float", "bfloat")) or layer.elements >= _SMALL


def _matched(
    old: Sequence[Layer], new: Sequence[Layer]
) -> tuple[list[tuple[Layer, Layer]], list[Layer], list[Layer]]:
    """Pairs; what is left of the old ones; of the new ones."""
    pairs: list[tuple[Layer, Layer]] = []
    rest_old, rest_new = list(old), list(new)
    keys: tuple[Callable[[Layer], object], ...] = (
        lambda layer: (layer.weights.file.name, layer.name),
        lambda layer: layer.name,
        lambda layer: tuple(sorted(layer.shape)) if _is_weight(layer) else None,
    )
    for key in keys:
        there: dict[object, list[Layer]] = {}
        for layer in rest_old:
            there.setdefault(key(layer), []).append(layer)
        there.pop(None, None)
        left = []
        for layer in rest_new:
            candidates = there.get(key(layer))
            if candidates:
                pairs.append((candidates.pop(0), layer))
            else:
                left.append(layer)
        taken = {id(pair[0]) for pair in pairs}
        rest_old, rest_new = [each for each in rest_old if id(each) not in taken], left
    return pairs, rest_old, rest_new


def _alone(layer: Layer, what: str) -> dict[str, Json]:
    return {"layer": layer.name, "what": what, "dtype": layer.dtype, "shape": list(layer.shape)}


def _changed(old: Layer, new: Layer) -> dict[str, Json] | None:
    """A row of `changes_between`; None if nothing differs."""
    close, zeros, counted = Closeness(), 0, 0
    for a, b in _beside(old, new):
        close.add(a, b)
        zeros += int(np.count_nonzero(b == 0))
        counted += len(b)
    packed = bool(new.bits or old.bits)
    same = old.dtype == new.dtype and (old.shape == new.shape or packed)
    if same and counted and close.difference == 0 and not packed:
        return None
    resized = not counted and new.elements != old.elements and not packed
    if same and not counted and not resized:
        return None  # nobody can say: opaque values of the same kind
    row = _alone(new, "resized" if resized else "changed")
    if counted:
        row["sparsity"] = round(zeros / counted, 6)
        if close.relative_change is not None:
            row["change"] = close.relative_change
        if close.cosine is not None:
            row["cosine"] = close.cosine
    elif resized:
        row |= _sparsity(new)
    if old.dtype != new.dtype:
        row["old_dtype"] = old.dtype
    if old.shape != new.shape:
        row["old_shape"] = list(old.shape)
    return row


def _sparsity(layer: Layer) -> dict[str, Json]:
    zeros = 0
    for at in range(0, layer.elements, _BLOCK):
        values = layer.flat(at, min(_BLOCK, layer.elements - at))
        if values is None:
            return {}
        zeros += int(np.count_nonzero(values == 0))
    return {"sparsity": round(zeros / max(layer.elements, 1), 6)}


def _beside(old: Layer, new: Layer) -> Iterator[tuple[Array, Array]]:
    """The same elements of both, flat, block by block; nothing if they can't be laid out alike."""
    packed = bool(old.bits or new.bits)
    square = len(set(new.shape)) == 1 and len(new.shape) == 2
    turned = square and old.weights.inspection.format != new.weights.inspection.format
    if old.shape == new.shape and not packed and not turned:
        for layer, other in ((old, new), (new, old)):
            if layer.axis is None and (axes := layer.axes()):
                layer.axis = _likeliest(layer, other, axes)
        yield from _streamed(old, new)
    elif max(old.elements, new.elements) <= _WHOLE:
        yield from _turned(old, new)


def _streamed(old: Layer, new: Layer) -> Iterator[tuple[Array, Array]]:
    for at in range(0, new.elements, _BLOCK):
        count = min(_BLOCK, new.elements - at)
        a, b = old.flat(at, count), new.flat(at, count)
        if a is None or b is None or a.dtype.kind == "c" or len(a) != len(b):
            return
        yield a, b


def _turned(old: Layer, new: Layer) -> Iterator[tuple[Array, Array]]:
    """One block: all of both, the new one turned so that it is nearest to the old one."""
    a = old.values(new.shape)
    if a is None:
        return
    best, least = None, math.inf
    for axis in new.axes() or (None,):
        new.axis = axis
        b = new.values(old.shape)
        if b is None:
            return
        turned = [b.transpose(turn) for turn in _TURNS.get(b.ndim, ())]
        for each in (b, *turned):
            if each.shape == a.shape and (distance := float(np.square(a - each).sum())) < least:
                best, least = each, distance
    if best is not None:
        yield a.reshape(-1), np.ascontiguousarray(best).reshape(-1)


def _likeliest(layer: Layer, other: Layer, axes: Sequence[int]) -> int:
    """Along which axis it has its scales: where it comes nearest to the other."""
    count = min(layer.elements, _BLOCK)
    beside = other.flat(0, count)
    distances = []
    for axis in axes if beside is not None else ():
        layer.axis = axis
        values = layer.flat(0, count)
        if values is not None:
            distances.append((float(np.square(values - beside).sum()), axis))
    return min(distances)[1] if distances else axes[0]
