"""Git packs, written for a `git fetch` and read from a `git push` of somebody we do not trust.

A pack that is read is bounded in every way: how many objects, how large each, how large together,
whatever its own numbers say. Format: git's `gitformat-pack`.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput
from modelyard.history.gitobject import COMMIT, TAG, GitObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelyard.history.gitobject import Objects

__all__ = ["Limits", "read_pack", "write_pack"]

_OFFSET, _NAME = 6, 7
_HEAD = b"PACK\0\0\0\2"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one pack may cost."""

    objects: int = 1_000_000
    one: int = 32 << 20
    """Bytes of one object."""
    total: int = 512 << 20
    """Bytes of all objects together, inflated."""


@dataclass(slots=True)
class _Packed:
    """An object as it stands in the pack."""

    kind: int
    body: bytes
    base: int | bytes | None = None
    """Offset or name of what a delta is based on."""


def write_pack(count: int, objects: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """A pack of whole objects, piece by piece; there must be as many as said."""
    digest = hashlib.sha1(usedforsecurity=False)

    def told(piece: bytes) -> bytes:
        digest.update(piece)
        return piece

    yield told(_HEAD + count.to_bytes(4, "big"))
    for kind, body in objects:
        yield told(_header(kind, len(body)) + zlib.compress(body, 1))
    yield digest.digest()


def read_pack(
    data: bytes | memoryview, there: Objects, limits: Limits | None = None
) -> list[GitObject]:
    """Every object of a pack, checked. InvalidInput: `bad-git-pack`, `pack-too-large`.

    Args:
        there: Where the bases of deltas are that the pack does not hold itself.
    """
    return _Reading(memoryview(data), there, limits or Limits()).run()


class _Reading:
    """One pack."""

    def __init__(self, data: memoryview, there: Objects, limits: Limits) -> None:
        self._data = data
        self._there = there
        self._limits = limits
        self._left = limits.total
        self._packed: dict[int, _Packed] = {}
        self._waiting: dict[int | bytes, list[int]] = {}
        """Offsets of deltas by what they are based on."""
        self._named: dict[bytes, GitObject] = {}

    def run(self) -> list[GitObject]:
        self._scan()
        whole = [offset for offset, item in self._packed.items() if item.base is None]
        for offset, item in self._packed.items():
            if item.base is not None:
                self._waiting.setdefault(item.base, []).append(offset)
        for offset in whole:
            self._keep(offset, GitObject.of(self._packed[offset].kind, self._packed[offset].body))
        for name in [base for base in self._waiting if isinstance(base, bytes)]:
            self._from_outside(name)
        if self._waiting:
            raise _bad("a delta is based on what is neither in the pack nor in the model")
        return list(self._named.values())

    def _scan(self) -> None:
        """Inflate all that the pack holds, in order."""
        data = self._data
        if len(data) < 32 or data[:8] != _HEAD:
            raise _bad("it does not begin as a pack of version 2")
        if hashlib.sha1(data[:-20], usedforsecurity=False).digest() != data[-20:]:
            raise _bad("its check sum is wrong")
        count, end = int.from_bytes(data[8:12], "big"), len(data) - 20
        if count > self._limits.objects:
            raise _large(f"more than {self._limits.objects:,} objects")
        at = 12
        for _ in range(count):
            start = at
            kind, size, at = self._head(at, end)
            base: int | bytes | None = None
            if kind == _OFFSET:
                back, at = self._back(at, end)
                base = start - back
                if base not in self._packed:
                    raise _bad("a delta is based on what is not there")
            elif kind == _NAME:
                base, at = bytes(data[at : at + 20]), at + 20
            elif not COMMIT <= kind <= TAG:
                raise _bad(f"it holds an object of kind {kind}")
            body, at = self._inflate(at, end, size)
            self._packed[start] = _Packed(kind, body, base)
        if at != end:
            raise _bad("something follows its last object")

    def _head(self, at: int, end: int) -> tuple[int, int, int]:
        """Kind and size of an object, and where they end."""
        shift, byte = 4, self._byte(at, end)
        kind, size = byte >> 4 & 7, byte & 15
        while byte & 0x80:
            at += 1
            byte = self._byte(at, end)
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 60:
                raise _bad("a size is too long")
        return kind, size, at + 1

    def _back(self, at: int, end: int) -> tuple[int, int]:
        byte = self._byte(at, end)
        back = byte & 0x7F
        while byte & 0x80:
            at += 1
            byte = self._byte(at, end)
            back = (back + 1) << 7 | byte & 0x7F
            if back > len(self._data):
                raise _bad("a delta is based on what is not there")
        return back, at + 1

    def _byte(self, at: int, end: int) -> int:
        if at >= end:
            raise _bad("it is cut")
        return self._data[at]

    def _inflate(self, at: int, end: int, size: int) -> tuple[bytes, int]:
        self._spend(size)
        inflater = zlib.decompressobj()
        # no more than is said, and one byte to see that there is more
        room, length, pieces = size + 1, 0, []
        try:
            while not inflater.eof:
                if at >= end:
                    raise _bad("it is cut")
                step = bytes(self._data[at : min(at + 65536, end)])
                piece = inflater.decompress(step, room - length)
                length += len(piece)
                pieces.append(piece)
                if length > size or (not piece and inflater.unconsumed_tail):
                    raise _bad("an object is larger than it says")
                at += len(step) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
        except zlib.error:
            raise _bad("an object can't be inflated") from None
        if length != size:
            raise _bad("an object is smaller than it says")
        return b"".join(pieces), at

    def _spend(self, size: int) -> None:
        self._left -= size
        if size > self._limits.one:
            raise _large(f"an object of more than {self._limits.one >> 20} MiB")
        if self._left < 0:
            raise _large(f"more than {self._limits.total >> 20} MiB, inflated")

    # -- deltas ----------------------------------------------------------------------------------

    def _from_outside(self, name: bytes) -> None:
        """The deltas of a thin pack whose base is in the model."""
        if name not in self._waiting:
            return
        try:
            kind, body = self._there.get(name)
        except LookupError:
            return
        for offset in self._waiting.pop(name):
            self._build(offset, kind, body)

    def _build(self, offset: int, kind: int, base: bytes) -> None:
        self._keep(offset, self._built(offset, kind, base))

    def _built(self, offset: int, kind: int, base: bytes) -> GitObject:
        delta = self._packed[offset].body
        source, at = _number(delta, 0)
        target, _ = _number(delta, at)
        if source != len(base):
            raise _bad("a delta does not fit its base")
        self._spend(target)
        self._packed[offset].body = b""
        return GitObject.of(kind, _applied(base, delta, target))

    def _keep(self, offset: int, item: GitObject) -> None:
        """An object is known, and with it all that is based on it, however long the chain is."""
        ready = [(offset, item)]
        while ready:
            offset, item = ready.pop()
            self._named.setdefault(item.sha, item)
            for base in (offset, item.sha):
                waiting = self._waiting.pop(base, ())
                ready += [(each, self._built(each, item.kind, item.body)) for each in waiting]


def _applied(base: bytes, delta: bytes, size: int) -> bytes:
    from dulwich.errors import ApplyDeltaError
    from dulwich.pack import apply_delta

    try:
        body = b"".join(apply_delta(base, delta))
    except (ApplyDeltaError, ValueError, IndexError):
        raise _bad("a delta can't be applied") from None
    if len(body) != size:
        raise _bad("a delta makes another size than it says")
    return body


def _number(delta: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(delta) and shift < 60:
        byte = delta[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise _bad("a delta is cut")


def _header(kind: int, size: int) -> bytes:
    byte, size = kind << 4 | size & 15, size >> 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def _bad(reason: str) -> InvalidInput:
    return InvalidInput("bad-git-pack", f"the pack can't be read: {reason}")


def _large(reason: str) -> InvalidInput:
    return InvalidInput(
        "pack-too-large", f"the push is too large: {reason}",
        hint="large files go by git lfs; bring a whole history in with yard import git",
    )  # fmt: skip
