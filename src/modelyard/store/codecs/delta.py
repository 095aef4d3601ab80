"""Codec 3, `delta`: the difference of bit patterns to the same place of the parent's tensor.

Training moves weights by few units in the last place, so the integer difference of the patterns is
small; zigzag folds its sign into the lowest bit, and the planes of that are mostly zero. It beats
XOR, which turns a carry into many bits (compare BitX in ZipLLM, NSDI '26).

Payload: width u8, flags u8 (0), then as in `planes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import Corrupt
from modelyard.store.codecs.planes import WORD, join, pack_planes, split, unpack_planes

if TYPE_CHECKING:
    from modelyard.store.codecs.workspace import Bytes, Workspace

__all__ = ["NUMBER", "SIGNED", "decode", "encode", "zigzag"]

NUMBER = 3
SIGNED: dict[int, np.dtype[Any]] = {
    2: np.dtype("<i2"), 4: np.dtype("<i4"), 8: np.dtype("<i8"),
}  # fmt: skip


def encode(source: Bytes, base: Bytes, width: int, work: Workspace) -> list[bytes | memoryview]:
    """Encode `source` against `base` of the same length."""
    count = len(source) // width
    words = source[: count * width].view(WORD[width])
    before = base[: count * width].view(WORD[width])
    folded = work.bytes("rotated", words.nbytes).view(words.dtype)
    zigzag(words, before, folded, work.bytes("words", words.nbytes).view(SIGNED[width]))
    tail = source[count * width :].tobytes()
    return [bytes((width, 0)), *pack_planes(split(folded, width, work), work), tail]


def decode(payload: memoryview, base: Bytes, out: Bytes, work: Workspace) -> None:
    """Undo `encode` into `out`."""
    width = payload[0]
    if width not in WORD or len(base) != len(out):
        raise Corrupt("bad-chunk", "a chunk's delta does not fit its base")
    count = len(out) // width
    planes, rest = unpack_planes(payload[2:], width, count, work)
    words = out[: count * width].view(WORD[width])
    join(planes, words, work)
    sign = work.bytes("words", words.nbytes).view(words.dtype)
    np.bitwise_and(words, 1, out=sign)
    np.negative(sign, out=sign)
    np.right_shift(words, 1, out=words)
    np.bitwise_xor(words, sign, out=words)
    np.add(words, base[: count * width].view(words.dtype), out=words)
    out[count * width :] = np.frombuffer(rest, np.uint8)


def zigzag(words: np.ndarray, before: np.ndarray, out: np.ndarray, spare: np.ndarray) -> None:
    """`out` = the signed difference with its sign in the lowest bit: 0, -1, 1, -2, ..."""
    np.subtract(words, before, out=out)
    np.right_shift(out.view(spare.dtype), out.itemsize * 8 - 1, out=spare)
    np.left_shift(out, 1, out=out)
    np.bitwise_xor(out, spare.view(out.dtype), out=out)
