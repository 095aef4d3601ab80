"""One tensor, block by block: raw bytes of all versions in, raw bytes of the mixed one out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.mixing.drops import Drops
from modelyard.core.mixing.methods import Place, kernel_of
from modelyard.core.mixing.numbers import COMPUTED, GRAIN, bits_of, choose, narrow, widen, working
from modelyard.core.mixing.surveys import survey_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modelyard.core.mixing.mix import Mix
    from modelyard.core.mixing.numbers import Bits, Bytes, Room
    from modelyard.core.mixing.surveys import Facts

__all__ = ["mix_block", "mix_whole"]

_STRAIGHT = 1e-12
"""Factors of slerp that are those of a straight line sum to one as nearly."""
_BOOL: np.dtype[np.bool_] = np.dtype(np.bool_)


def mix_block(
    mix: Mix,
    name: str,
    dtype: str,
    at: int,
    sides: Sequence[Bytes],
    base: Bytes | None,
    facts: Facts | None,
    out: Bytes,
    room: Room,
) -> None:
    """Mix elements from index `at` of the tensor `name` on.

    Elements whose bits are the same in all versions, and in the base if there is one, stay as they
    are: equal models give themselves, infinities and signs of zeros included. Only on slerp's arcs
    they move.

    Args:
        sides: Raw little-endian bytes of the same elements of each version, uint8.
        facts: What the method's survey found of this tensor.
        out: As many bytes, written to; may not overlap the others.
    """
    others = [*sides[1:], *([] if base is None else [base])]
    kernel = kernel_of(mix)
    width = COMPUTED[dtype]
    on_arc = mix.method == "slerp" and facts is not None and abs(sum(facts) - 1) > _STRAIGHT
    drops = _drops(mix, name) if mix.method == "dare" else ()
    end = len(out) // width
    start = 0
    with np.errstate(all="ignore"):
        while start < end:
            stop = min(start + GRAIN - (at + start) % GRAIN, end)
            part = slice(start * width, stop * width)
            first = bits_of(sides[0][part], dtype)
            same = _same(first, [bits_of(other[part], dtype) for other in others], room)
            if on_arc:
                same.fill(False)
            if same.all():
                out[part] = sides[0][part]
            else:
                values = [widen(s[part], dtype, f"side{i}", room) for i, s in enumerate(sides)]
                below = None if base is None else widen(base[part], dtype, "base", room)
                mixed = room.take("mixed", stop - start, working(dtype))
                kernel(mix, values, below, mixed, Place(at + start, facts, drops), room)
                narrow(mixed, dtype, out[part], room)
                if same.any():
                    choose(bits_of(out[part], dtype), first, same, room)
            start = stop


def mix_whole(
    mix: Mix, name: str, dtype: str, sides: Sequence[Bytes], base: Bytes | None, room: Room
) -> Bytes:
    """Mix a tensor that is in memory: what the blocks of it would give."""
    elements = len(sides[0]) // COMPUTED[dtype]
    survey = survey_of(mix, dtype, elements) if elements else None
    while survey is not None and survey.facts is None:
        survey.add(0, sides, base, room)
        survey.finish()
    out = np.empty(len(sides[0]), np.uint8)
    facts = None if survey is None else survey.facts
    mix_block(mix, name, dtype, 0, sides, base, facts, out, room)
    return out


def _same(first: Bits, others: Sequence[Bits], room: Room) -> NDArray[np.bool_]:
    """Where all bit patterns are those of the first."""
    same = room.take("same", len(first), _BOOL)
    np.equal(first, others[0], out=same) if others else same.fill(True)
    for other in others[1:]:
        equal = np.equal(first, other, out=room.take("equal", len(first), _BOOL))
        np.logical_and(same, equal, out=same)
    return same


def _drops(mix: Mix, name: str) -> list[Drops]:
    return [Drops(mix.seed, side, name, mix.density) for side in range(len(mix.weights))]
