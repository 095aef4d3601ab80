"""The git objects that one commit added, as one record for the store (`docs/spec/tree-1.md`).

Names are not stored: decoding computes them again, so an object can't come back under a false one.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from modelyard.core.digest import Digest
from modelyard.errors import Corrupt
from modelyard.history.gitobject import BLOB, COMMIT, TAG, GitObject
from modelyard.history.pointers import parse_pointer, pointer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["decode_bundle", "encode_bundle"]

_VERSION = 1
_POINTER = 5
"""Kind of a blob that is an LFS pointer: 32 bytes of digest and the size."""
_BINARY_COMMIT = 6
"""Kind of a commit whose tree and parents, hex digits in git, are kept as 20 bytes each."""
_COMMIT_HEAD = re.compile(rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)")
_CHECK = 4


def encode_bundle(objects: Sequence[GitObject]) -> bytes:
    out = bytearray([_VERSION])
    _put(out, len(objects))
    for item in objects:
        known = parse_pointer(item.body) if item.kind == BLOB else None
        head = _COMMIT_HEAD.match(item.body) if item.kind == COMMIT else None
        if known is not None:
            out.append(_POINTER)
            out += known[0].raw
            _put(out, known[1])
        elif head is not None:
            _put_commit(out, item.body, head)
        else:
            out.append(item.kind)
            _put(out, len(item.body))
            out += item.body
    return bytes(out + zlib.crc32(out).to_bytes(_CHECK, "little"))


def decode_bundle(data: bytes) -> tuple[GitObject, ...]:
    """The objects in the order they were given. Corrupt: `bad-bundle`."""
    end = len(data) - _CHECK
    if end < 2 or zlib.crc32(data[:end]) != int.from_bytes(data[end:], "little"):
        raise _bad("it is cut or altered")
    if data[0] != _VERSION:
        raise _bad(f"its version is {data[0]}")
    count, position = _take(data, 1, end)
    if count > end:
        raise _bad("it promises more objects than it can hold")
    objects = []
    for _ in range(count):
        item, position = _decode_one(data, position, end)
        objects.append(item)
    if position != end:
        raise _bad("something follows its last object")
    return tuple(objects)


def _decode_one(data: bytes, position: int, end: int) -> tuple[GitObject, int]:
    kind = data[position] if position < end else 0
    position += 1
    if kind == _POINTER:
        digest = data[position : position + 32]
        size, after = _take(data, position + 32, end)
        return GitObject.of(BLOB, pointer(Digest(digest), size)), after
    if kind == _BINARY_COMMIT:
        return _decode_commit(data, position, end)
    if not COMMIT <= kind <= TAG:
        raise _bad(f"it holds an object of kind {kind}")
    length, start = _take(data, position, end)
    if length > end - start:
        raise _bad("its last object is cut")
    return GitObject.of(kind, data[start : start + length]), start + length


def _put_commit(out: bytearray, body: bytes, head: re.Match[bytes]) -> None:
    parents = [bytes.fromhex(line[7:].decode()) for line in head[2].split(b"\n")[:-1]]
    out.append(_BINARY_COMMIT)
    out += bytes.fromhex(head[1].decode())
    _put(out, len(parents))
    out += b"".join(parents)
    _put(out, len(body) - head.end())
    out += body[head.end() :]


def _decode_commit(data: bytes, position: int, end: int) -> tuple[GitObject, int]:
    tree = data[position : position + 20]
    count, start = _take(data, position + 20, end)
    if count * 20 > end - start:
        raise _bad("its last commit is cut")
    parents = [data[start + 20 * i : start + 20 * i + 20] for i in range(count)]
    length, rest = _take(data, start + 20 * count, end)
    if length > end - rest:
        raise _bad("its last commit is cut")
    lines = [b"tree %b\n" % tree.hex().encode()]
    lines += [b"parent %b\n" % parent.hex().encode() for parent in parents]
    return GitObject.of(COMMIT, b"".join([*lines, data[rest : rest + length]])), rest + length


def _put(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _take(data: bytes, position: int, end: int) -> tuple[int, int]:
    number = shift = 0
    while position < end and shift < 63:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                break
            return number, position
        shift += 7
    raise _bad("a number in it is cut or too long")


def _bad(reason: str) -> Corrupt:
    return Corrupt("bad-bundle", f"a bundle of git objects can't be read: {reason}")
