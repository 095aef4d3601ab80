"""Codec 2, `planes`: the bytes of each element sorted by significance, each plane by itself.

The exponents of trained weights take few values while the mantissas are noise. A float is rotated
left by one bit, so that its whole exponent is one byte; then byte i of every element goes to plane
i, and each plane is left out (all zero), kept raw, or Huffman-coded (ZipNN, arXiv:2411.05239).

Payload: width u8, flags u8 (1: rotated), then per plane kind u8 and length u32, then the planes,
then the bytes that do not fill an element.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.zstd import decompressed
from modelyard.errors import Corrupt

if TYPE_CHECKING:
    from modelyard.store.codecs.workspace import Bytes, Workspace

__all__ = [
    "NUMBER", "WORD", "decode", "encode", "join", "pack_planes", "plane_entropy", "split",
    "unpack_planes",
]  # fmt: skip

NUMBER = 2

_ZERO, _RAW, _ZSTD = 0, 1, 2
_ENTRY = struct.Struct("<BI")
WORD: dict[int, np.dtype[Any]] = {
    2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8"),
}  # fmt: skip
"""An unsigned integer for each width of an element."""
_SAMPLE = 4096
_NOISE = 7.75
"""Bits a byte above which coding a plane saves less than it costs."""
_SPARSE = 1.0
"""Bits a byte below which zstd's matches beat a bit per symbol."""


def encode(source: Bytes, width: int, rotated: bool, work: Workspace) -> list[bytes | memoryview]:
    """Encode `source`, elements of `width` bytes (2, 4 or 8), as buffers to be written in turn."""
    count = len(source) // width
    words = source[: count * width].view(WORD[width])
    if rotated:
        words = _rotate_left(words, work)
    planes = split(words, width, work)
    return [bytes((width, rotated)), *pack_planes(planes, work), _tail(source, count * width)]


def decode(payload: memoryview, out: Bytes, work: Workspace) -> None:
    """Undo `encode` into `out`."""
    width, rotated = payload[0], payload[1]
    if width not in WORD or rotated > 1:
        raise Corrupt("bad-chunk", "a chunk's planes are not as the codec writes them")
    count = len(out) // width
    planes, rest = unpack_planes(payload[2:], width, count, work)
    words = join(planes, out[: count * width].view(WORD[width]), work)
    if rotated:
        bits = width * 8
        spare = work.bytes("words", words.nbytes).view(words.dtype)
        np.left_shift(words, bits - 1, out=spare)
        np.right_shift(words, 1, out=words)
        np.bitwise_or(words, spare, out=words)
    out[count * width :] = np.frombuffer(rest, np.uint8)


def _rotate_left(words: np.ndarray, work: Workspace) -> np.ndarray:
    out = work.bytes("rotated", words.nbytes).view(words.dtype)
    spare = work.bytes("words", words.nbytes).view(words.dtype)
    np.left_shift(words, 1, out=out)
    np.right_shift(words, words.itemsize * 8 - 1, out=spare)
    np.bitwise_or(out, spare, out=out)
    return out


def _tail(source: Bytes, start: int) -> bytes:
    return source[start:].tobytes()


def split(words: np.ndarray, width: int, work: Workspace) -> list[Bytes]:
    """Plane i holds byte i (0 is the least significant) of every word."""
    count = len(words)
    planes = work.bytes("planes", count * width).reshape(width, count)
    spare = work.bytes("words", words.nbytes).view(words.dtype)
    np.copyto(planes[0], words, casting="unsafe")
    for i in range(1, width):
        # shift and narrow: numpy vectorizes both, a strided byte copy it does not
        np.right_shift(words, 8 * i, out=spare)
        np.copyto(planes[i], spare, casting="unsafe")
    return list(planes)


def join(planes: list[Bytes | None], out: np.ndarray, work: Workspace) -> np.ndarray:
    """Undo `split` into `out`; a plane of None is all zero."""
    spare = work.bytes("words", out.nbytes).view(out.dtype)
    filled = False
    for i, plane in reversed(list(enumerate(planes))):
        if plane is None:
            continue
        target = spare if filled else out
        np.copyto(target, plane)
        if i:
            np.left_shift(target, 8 * i, out=target)
        if filled:
            np.bitwise_or(out, spare, out=out)
        filled = True
    if not filled:
        out[:] = 0
    return out


def pack_planes(planes: list[Bytes], work: Workspace) -> list[bytes | memoryview]:
    """The plane table and the planes."""
    table, parts = [], []
    for plane in planes:
        kind, part = _pack_plane(plane, work)
        table.append(_ENTRY.pack(kind, len(part)))
        parts.append(part)
    return [b"".join(table), *parts]


def _pack_plane(plane: Bytes, work: Workspace) -> tuple[int, bytes | memoryview]:
    bits = plane_entropy(plane)
    if bits == 0.0 and not plane.any():
        return _ZERO, b""
    if bits < _NOISE:
        coder = work.fast if bits < _SPARSE else work.huffman
        coded = coder.compress(plane.data)
        if len(coded) < len(plane) * 0.98:
            return _ZSTD, coded
    return _RAW, plane.data


def unpack_planes(
    payload: memoryview, width: int, count: int, work: Workspace
) -> tuple[list[Bytes | None], memoryview]:
    """The planes, and what follows them."""
    at = width * _ENTRY.size
    planes: list[Bytes | None] = []
    for i in range(width):
        kind, length = _ENTRY.unpack_from(payload, i * _ENTRY.size)
        part = payload[at : at + length]
        at += length
        if kind == _ZERO:
            planes.append(None)
            continue
        raw = part if kind == _RAW else decompressed(part, count, work.decompressor)
        if kind > _ZSTD or len(raw) != count:
            raise Corrupt("bad-chunk", "a chunk's planes are not as the codec writes them")
        planes.append(np.frombuffer(raw, np.uint8))
    return planes, payload[at:]


def plane_entropy(plane: Bytes) -> float:
    """Order-0 entropy in bits a byte, of a sample of eight stretches."""
    size = len(plane)
    if size > _SAMPLE:
        step = size // 8
        plane = plane[: step * 8].reshape(8, step)[:, : _SAMPLE // 8].reshape(-1)
    counts = np.bincount(plane, minlength=256)
    counts = counts[counts > 0]
    total = len(plane)
    if total == 0:
        return 0.0
    return float(np.log2(total) - (counts * np.log2(counts)).sum() / total)
