"""How a chunk is written: five codecs, and the choice between them.

A codec is one file with a number that the pack format keeps for ever. `encode` picks the cheapest
by sampled entropy; `decode` is told which it was.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from modelyard.errors import Corrupt
from modelyard.store.codecs import delta, dictionary, plain, planes
from modelyard.store.codecs.workspace import Bytes, Workspace, workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Encoded", "Workspace", "decode", "encode", "encode_base", "needs_base", "workspace"]

_WORTH = 0.95
"""A delta ties its chunk to a base, so it must save at least 5 %."""
_SAMPLE = 2048
_SMALL = 512


@dataclass(frozen=True, slots=True)
class Encoded:
    """A chunk ready to be written."""

    codec: int
    parts: Sequence[bytes | memoryview]
    length: int


def needs_base(codec: int) -> bool:
    """Whether decoding takes the decoded bytes of another chunk."""
    return codec in (delta.NUMBER, dictionary.NUMBER)


def encode(
    source: Bytes, width: int, is_float: bool, base: Bytes | None, work: Workspace
) -> Encoded:
    """The cheapest encoding of `source`.

    Args:
        source: The chunk's bytes.
        width: Bytes of an element; 1 if it is no tensor of wider elements.
        is_float: Whether elements have the IEEE layout.
        base: The parent's chunk in the same place, if there is one.
    """
    if width > 1 and len(source) >= _SMALL:
        if base is not None and _delta_wins(source, base, width, is_float):
            encoded = _sealed(delta.NUMBER, delta.encode(source, base, width, work))
            if encoded.length < len(source) * _WORTH:
                return encoded
        encoded = _sealed(planes.NUMBER, planes.encode(source, width, is_float, work))
        if encoded.length < len(source) * 0.97:
            return encoded
        return _sealed(plain.RAW, [source.data])
    if base is None or max(len(base), len(source)) > dictionary.LIMIT:
        return _sealed(*plain.encode(source, work))
    coded = dictionary.encode(source, base)
    in_terms_of_base = Encoded(dictionary.NUMBER, [coded], len(coded))
    if len(coded) < len(source) // 8:
        return in_terms_of_base
    full = _sealed(*plain.encode(source, work))
    return in_terms_of_base if len(coded) + 32 < full.length * _WORTH else full


def encode_base(source: Bytes, work: Workspace) -> Encoded:
    """`source` in full, as a new base for deltas that are sure to come."""
    return _sealed(*plain.encode(source, work, thorough=True))


def decode(
    codec: int, payload: memoryview, base: Bytes | None, out: Bytes, work: Workspace
) -> None:
    """Write the decoded bytes into `out`, whose length is the chunk's size."""
    try:
        if codec == plain.RAW:
            out[:] = np.frombuffer(payload, np.uint8)
        elif codec == plain.ZSTD:
            plain.decode_zstd(payload, out, work)
        elif codec == planes.NUMBER:
            planes.decode(payload, out, work)
        elif base is None or not needs_base(codec):
            raise Corrupt("bad-chunk", f"codec {codec} is unknown or lacks its base")
        elif codec == delta.NUMBER:
            delta.decode(payload, base, out, work)
        else:
            dictionary.decode(payload, base, out)
    except (ValueError, IndexError, struct.error, zstandard.ZstdError, MemoryError) as error:
        raise Corrupt("bad-chunk", f"a chunk can't be decoded: {error}") from None


def _sealed(codec: int, parts: Sequence[bytes | memoryview]) -> Encoded:
    return Encoded(codec, parts, sum(len(part) for part in parts))


def _delta_wins(source: Bytes, base: Bytes, width: int, is_float: bool) -> bool:
    """Compare both by the entropy of the planes of a few thousand elements."""
    if len(base) != len(source):
        return False
    dtype = planes.WORD[width]
    count = len(source) // width
    new, old = (side[: count * width].view(dtype) for side in (source, base))
    if count > _SAMPLE:
        step = count // 8
        cut = slice(0, _SAMPLE // 8)
        new, old = (w[: step * 8].reshape(8, step)[:, cut].reshape(-1) for w in (new, old))
    folded = np.empty_like(new)
    delta.zigzag(new, old, folded, np.empty(len(new), delta.SIGNED[width]))
    if is_float:
        new = (new << 1) | (new >> (8 * width - 1))
    return _plane_bits(folded, width) < _plane_bits(new, width) * _WORTH


def _plane_bits(words: np.ndarray, width: int) -> float:
    columns = np.ascontiguousarray(words).view(np.uint8).reshape(-1, width)
    return sum(planes.plane_entropy(np.ascontiguousarray(columns[:, i])) for i in range(width))
