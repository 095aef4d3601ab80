"""The methods of mixing, each on a grain of elements of one tensor.

A method gets the values of all versions, of the base if it has one, and what was found of the whole
tensor; it writes the mixed values. Nothing here knows of bytes, blocks or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.mixing.numbers import clear, magnitudes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.mixing.drops import Drops
    from modelyard.core.mixing.mix import Mix
    from modelyard.core.mixing.numbers import Floats, Room
    from modelyard.core.mixing.surveys import Facts

__all__ = ["Place", "kernel_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a grain lies, for methods to which that matters."""

    at: int
    """Index of its first element in the tensor."""
    facts: Facts | None
    drops: Sequence[Drops]


Kernel = "Callable[[Mix, Sequence[Floats], Floats | None, Floats, Place, Room], None]"


def average(
    mix: Mix, sides: Sequence[Floats], base: Floats | None, out: Floats, place: Place, room: Room
) -> None:
    """The mean, or with `weighted` the weighted mean, of all versions.

    M. Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time", ICML 2022, arXiv:2203.05482.
    """
    _combine(mix.weights, sides, out, room)


def slerp(
    mix: Mix, sides: Sequence[Floats], base: Floats | None, out: Floats, place: Place, room: Room
) -> None:
    """A point on the arc between two versions, each tensor by itself. See `surveys.Arc`.

    On an arc even a number that both have in common may change: that keeps the norm.
    """
    _combine(place.facts or mix.weights, sides, out, room)


def task_arithmetic(
    mix: Mix, sides: Sequence[Floats], base: Floats | None, out: Floats, place: Place, room: Room
) -> None:
    """The base plus the weighted sum of what each version changed (its task vector).

    G. Ilharco et al., "Editing models with task arithmetic", ICLR 2023, arXiv:2212.04089. A
    negative weight or scale forgets.
    """
    _add_up(mix, _changes(sides, base, room), base, out)


def dare(
    mix: Mix, sides: Sequence[Floats], base: Floats | None, out: Floats, place: Place, room: Room
) -> None:
    """Task arithmetic of changes of which most were dropped at random and the rest made larger.

    L. Yu et al., "Language models are super Mario: absorbing abilities from homologous models as a
    free lunch", ICML 2024, arXiv:2311.03099: each change is dropped with probability 1 - density,
    and what is left divided by the density, so that its expectation is the same.
    """
    changes = _changes(sides, base, room)
    for change, drops in zip(changes, place.drops, strict=True):
        np.divide(change, change.dtype.type(mix.density), out=change)
        clear(change, drops.kept(place.at, len(change)), room)
    _add_up(mix, changes, base, out)


def ties(
    mix: Mix, sides: Sequence[Floats], base: Floats | None, out: Floats, place: Place, room: Room
) -> None:
    """Trim small changes, elect a sign for each element, average the changes that have it.

    P. Yadav et al., "TIES-merging: resolving interference when merging models", NeurIPS 2023,
    arXiv:2306.01708. Trimmed is per tensor and version. The elected sign is that of the sum of all
    changes; where that is 0 nothing changes. Weights count in the sum and in the mean.
    """
    assert base is not None
    changes = _changes(sides, base, room)
    one = changes[0].dtype.type
    total = room.take("total", len(out), out.dtype)
    total[:] = 0
    for i, change in enumerate(changes):
        if place.facts is not None:
            sizes = magnitudes(change, room.take("sizes", len(out), np.dtype(f"<u{out.itemsize}")))
            kept = room.take("kept", len(out), np.dtype(bool))
            clear(change, np.greater_equal(sizes, place.facts[i], out=kept), room)
        if mix.weights[i] != 1:
            np.multiply(change, one(mix.weights[i]), out=change)
        np.add(total, change, out=total)
    sign = np.sign(total, out=total)
    out[:] = 0
    count = room.take("count", len(out), out.dtype)
    count[:] = 0
    for i, change in enumerate(changes):
        np.multiply(change, sign, out=change)
        np.maximum(change, 0, out=change)  # what points the other way is left out
        np.add(out, change, out=out)
        agrees = np.greater(change, 0)
        weight = abs(mix.weights[i])
        np.add(count, agrees if weight == 1 else agrees * one(weight), out=count)
    np.add(count, count == 0, out=count)
    np.divide(out, count, out=out)
    np.multiply(out, sign, out=out)
    if mix.scale != 1:
        np.multiply(out, one(mix.scale), out=out)
    np.add(out, base, out=out)


_KERNELS = {
    "average": average, "weighted": average, "slerp": slerp, "task-arithmetic": task_arithmetic,
    "dare": dare, "ties": ties,
}  # fmt: skip


def kernel_of(
    mix: Mix,
) -> Callable[[Mix, Sequence[Floats], Floats | None, Floats, Place, Room], None]:
    """The function of a method."""
    return _KERNELS[mix.method]


def _combine(factors: Sequence[float], sides: Sequence[Floats], out: Floats, room: Room) -> None:
    """The sum; what has no weight has no part in it, were it infinite."""
    one = out.dtype.type
    (first, side), *rest = [pair for pair in zip(factors, sides, strict=True) if pair[0]]
    np.multiply(side, one(first), out=out)
    term = room.take("term", len(out), out.dtype)
    for factor, other in rest:
        np.multiply(other, one(factor), out=term)
        np.add(out, term, out=out)


def _changes(sides: Sequence[Floats], base: Floats | None, room: Room) -> list[Floats]:
    """What each version changed; arrays that may be written to."""
    assert base is not None
    changes: list[Floats] = []
    for i, side in enumerate(sides):
        change = room.take(f"change{i}", len(side), side.dtype)
        changes.append(np.subtract(side, base, out=change))
    return changes


def _add_up(mix: Mix, changes: Sequence[Floats], base: Floats | None, out: Floats) -> None:
    assert base is not None
    one = out.dtype.type
    out[:] = 0
    for weight, change in zip(mix.weights, changes, strict=True):
        if weight != 1:
            np.multiply(change, one(weight), out=change)
        np.add(out, change, out=out)
    if mix.scale != 1:
        np.multiply(out, one(mix.scale), out=out)
    np.add(out, base, out=out)
