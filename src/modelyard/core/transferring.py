"""Bytes between client and server: frames, layouts, what a commit says (docs/spec/transfer-1.md).

Both sides use this module. Everything is bounded before it is believed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import msgspec

from modelyard.core.decoding import packed_decoder
from modelyard.core.digest import ChunkId
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "CHUNK_LIMIT", "COMMIT_TYPE", "INLINE_LIMIT", "PACKED_TYPE", "PART_LIMIT", "Contents",
    "ContentsBlob", "ContentsFile", "Direct", "Frame",
    "GivenFile", "Header", "Layout", "LayoutBlob", "LayoutChunk", "Missing", "Question", "Receipt",
    "Stored", "decode_commit", "decode_packed", "encode_commit", "encode_frame", "encode_packed",
    "is_set", "names_of", "pack_bits", "parse_frames",
]  # fmt: skip

COMMIT_TYPE = "application/vnd.modelyard.commit"
"""A header, then frames."""
PACKED_TYPE = "application/vnd.msgpack"
"""One value as MessagePack."""
PART_LIMIT = 32 << 20
"""Bytes of one request that carries chunks, a commit's included."""
CHUNK_LIMIT = 8 << 20
"""Bytes of a chunk that a client sends."""
INLINE_LIMIT = 8 << 20
"""Bytes of a file that may ride in a commit's header, for the server to cut."""
_NAMES_LIMIT = 1 << 20
"""Chunks of one question."""

_FRAME = struct.Struct("<IBB32s")
_FLOAT, _BASE, _FIRST = 1, 2, 4
_LENGTH = struct.Struct("<I")


# -- frames ----------------------------------------------------------------------------------------


class Frame(NamedTuple):
    """One chunk on its way to a server."""

    name: ChunkId
    """BLAKE3-256 of the bytes."""
    content: bytes | memoryview
    width: int = 1
    """Bytes of one number in it: 1, 2, 4 or 8."""
    is_float: bool = False
    base: ChunkId | None = None
    """A chunk of the version that is built on, which this one is like."""
    is_first: bool = False
    """Whether a file begins with it, the chunks of which follow in order and without a gap."""


def encode_frame(frame: Frame) -> tuple[bytes, bytes | memoryview]:
    """Head and content: to be written one after the other."""
    flags = (_FLOAT if frame.is_float else 0) | (_FIRST if frame.is_first else 0)
    if frame.base is not None:
        flags |= _BASE
    head = _FRAME.pack(len(frame.content), frame.width, flags, frame.name)
    return head + (frame.base or b""), frame.content


def parse_frames(data: bytes | memoryview) -> Iterator[Frame]:
    """The frames of a body, whose contents are views of it. InvalidInput: `bad-frames`."""
    view = memoryview(data)
    at = 0
    while at < len(view):
        if len(view) - at < _FRAME.size:
            raise _bad("the last frame is cut short")
        size, width, flags, name = _FRAME.unpack_from(view, at)
        at += _FRAME.size
        if width not in (1, 2, 4, 8) or flags > 7:
            raise _bad("a frame has a width or flags that there are not")
        base = None
        if flags & _BASE:
            base = ChunkId(bytes(view[at : at + 32]))
            at += 32
        if not 0 < size <= CHUNK_LIMIT or size > len(view) - at:
            raise _bad(f"a frame of {size} bytes does not fit")
        content = view[at : at + size]
        at += size
        yield Frame(ChunkId(name), content, width, bool(flags & _FLOAT), base, bool(flags & _FIRST))


def _bad(what: str) -> InvalidInput:
    return InvalidInput("bad-frames", what)


# -- what a client says and asks -------------------------------------------------------------------

Names = Annotated[bytes, msgspec.Meta(max_length=32 * _NAMES_LIMIT)]
Revision = Annotated[str, msgspec.Meta(max_length=200)] | int | None


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """That chunks came, as the server said when they did."""

    names: Names
    """32 bytes each, in the order of the part."""
    receipt: Annotated[bytes, msgspec.Meta(max_length=64)]


class Stored(msgspec.Struct, frozen=True):
    """Answer to a part: its chunks are durable."""

    receipt: bytes
    new_bytes: int


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which of these chunks does the server want?"""

    names: Names
    branch: str | None = None
    parent: Revision = None
    session: str | None = None
    have: list[Receipt] = []


class Missing(msgspec.Struct, frozen=True):
    """Answer to a question: bit `i % 8` of byte `i // 8` is set if chunk i is to be sent."""

    wanted: bytes


class GivenFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a commit: exactly one of `inline`, `chunks` and `same`."""

    path: Annotated[str, msgspec.Meta(max_length=2000)]
    mode: int = 0o100644
    inline: Annotated[bytes, msgspec.Meta(max_length=INLINE_LIMIT)] | None = None
    """Its bytes; the target of a symlink."""
    chunks: list[tuple[bytes, int]] | None = None
    """Names and sizes, in order."""
    same: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)] | None = None
    """SHA-256 of a file that the version which is built on has, at any path."""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a commit says before its frames."""

    files: list[GivenFile]
    message: str = ""
    branch: str | None = None
    parent: Revision = None
    keep: str | list[str] | None = None
    """Files of the parent that stay beside those given: none, `all`, `cards` or these paths."""
    manifest: bytes | None = None
    """As `core.manifest.Manifest.encode` writes it."""
    labels: dict[str, str] = {}
    kind: str = "model"
    scan: bool = True
    author: str | None = None
    session: str | None = None
    have: list[Receipt] = []


def encode_commit(header: Header, frames: Iterable[Frame] = ()) -> list[bytes | memoryview]:
    """The parts of a commit's body, to be written one after the other."""
    said = _encoder.encode(header)
    parts: list[bytes | memoryview] = [_LENGTH.pack(len(said)), said]
    for frame in frames:
        parts += encode_frame(frame)
    return parts


def decode_commit(data: bytes | memoryview) -> tuple[Header, memoryview]:
    """A commit's header and its frames, not parsed yet. InvalidInput: `unreadable-body`."""
    view = memoryview(data)
    if len(view) < _LENGTH.size:
        raise InvalidInput("unreadable-body", "a commit is cut short")
    end = _LENGTH.size + _LENGTH.unpack_from(view)[0]
    if end > len(view):
        raise InvalidInput("unreadable-body", "a commit's header is longer than its body")
    return decode_packed(view[_LENGTH.size : end], Header), view[end:]


# -- layouts ---------------------------------------------------------------------------------------


class LayoutChunk(msgspec.Struct, array_like=True, frozen=True):
    """A chunk of the encoded stream. All are content."""

    name: bytes
    start: int
    """In the encoded stream."""
    length: int
    size: int
    """Of the decoded bytes."""
    codec: int
    base: int = -1
    """Which chunk it is a delta to: an earlier one of this list; -1 if it is none."""


class LayoutBlob(msgspec.Struct, array_like=True, frozen=True):
    """A file's content."""

    sha256: bytes
    size: int
    format: str
    content: bytes
    """Name of its only chunk, or of its recipe."""
    recipe: bytes | None = None
    """The decoded recipe, if it has one (docs/spec/pack-1.md, section 7)."""
    inspection: bytes | None = None
    """The decoded inspection record, if there is one."""


class Direct(msgspec.Struct, array_like=True, frozen=True):
    """An object that the client may read from the store itself for a while."""

    url: str
    seconds: int
    chunks: list[tuple[int, int]]
    """Which chunk, and its offset in the object."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A version as one stretch of encoded bytes."""

    etag: str
    size: int
    """Of the encoded stream."""
    chunks: list[LayoutChunk]
    blobs: list[LayoutBlob]
    direct: list[Direct] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentsFile:
    """A file of a version."""

    path: str
    mode: int
    sha256: str
    size: int
    inline: str | None = None
    """Its bytes as base64, if git holds them; null if they are in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentsBlob:
    """What is known of a stored file."""

    sha256: str
    size: int
    format: str
    is_recipe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The files of a version, hidden ones included."""

    model: str
    number: int
    commit: str
    size: int
    branches: list[str]
    """Those that end here."""
    files: list[ContentsFile]
    blobs: list[ContentsBlob]


# -- MessagePack -----------------------------------------------------------------------------------

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


def encode_packed(value: object) -> bytes:
    return _encoder.encode(value)


def decode_packed(data: bytes | memoryview, cls: type[T]) -> T:
    """A value of this class. InvalidInput: `unreadable-body`."""
    try:
        return packed_decoder(cls).decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput("unreadable-body", f"what was sent can't be read: {error}") from None


def names_of(names: bytes) -> list[ChunkId]:
    """Chunks' names, 32 bytes each."""
    if len(names) % 32:
        raise InvalidInput("unreadable-body", "names of chunks have 32 bytes each")
    return [ChunkId(names[i : i + 32]) for i in range(0, len(names), 32)]


def pack_bits(bits: Sequence[bool]) -> bytes:
    """Bit `i % 8` of byte `i // 8` for each."""
    out = bytearray((len(bits) + 7) // 8)
    for i, bit in enumerate(bits):
        if bit:
            out[i >> 3] |= 1 << (i & 7)
    return bytes(out)


def is_set(bits: bytes, i: int) -> bool:
    """Undo `pack_bits`."""
    return i >> 3 < len(bits) and bool(bits[i >> 3] >> (i & 7) & 1)
