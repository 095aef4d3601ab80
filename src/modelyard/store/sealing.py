"""Encryption at rest: every pack has a key of its own, wrapped by a master key that is elsewhere.

What is written is put into boxes (AES-256-GCM). A box opens only in its own pack, at its own place
and as what it is. Specified in docs/spec/pack-1.md, section 8.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import struct
import threading
from collections import OrderedDict
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import blake3

from modelyard.core.extras import need
from modelyard.errors import Corrupt, Denied, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "BOX_EXTRA",
    "SEAL_SIZE",
    "PackLock",
    "Part",
    "Vault",
    "identity_of",
    "load_key",
    "parse_key",
    "wrapping_of",
]

_NONCE = 12
_TAG = 16
BOX_EXTRA = _NONCE + _TAG
"""Bytes that a box is longer than what is in it."""
_ID = 8
_IDENTITY = 16
_KEY = 32
SEAL_SIZE = _ID + _IDENTITY + _NONCE + _KEY + _TAG
_PLACE = struct.Struct("<QB")
_OBJECT = b"yardlock\x01\x00\x00\x00\x00\x00\x00\x00"
_PIECE = 64 << 20
_KEPT = 4096


class Part(IntEnum):
    """What a box holds; the pack format keeps the numbers."""

    HEAD = 1
    PAYLOAD = 2
    TRAILER = 3
    FOOTER = 4
    OBJECT = 5
    OBJECT_END = 6
    """The last piece of an object."""


class PackLock:
    """The key of one pack. Safe for many threads."""

    __slots__ = ("_cipher", "_identity", "seal")

    def __init__(self, identity: bytes, key: bytes, seal: bytes) -> None:
        self.seal = seal
        self._identity = identity
        self._cipher = _aes(key)

    def box(
        self, part: Part, at: int, content: bytes | memoryview, name: bytes = b""
    ) -> memoryview:
        """`content` sealed, to be written at offset `at`: `BOX_EXTRA` bytes longer than it was."""
        nonce = secrets.token_bytes(_NONCE)
        box = memoryview(bytearray(BOX_EXTRA + len(content)))
        box[:_NONCE] = nonce
        context = self._identity + _PLACE.pack(at, part) + name
        self._cipher.encrypt_into(nonce, content, context, box[_NONCE:])
        return box

    def open(self, part: Part, at: int, box: bytes | memoryview, name: bytes = b"") -> bytes:
        """What is in the box that lies at offset `at`. Corrupt: `bad-box`."""
        view = memoryview(box)
        context = self._identity + _PLACE.pack(at, part) + name
        try:
            content: bytes = self._cipher.decrypt(view[:_NONCE], view[_NONCE:], context)
        except (_invalid_tag(), ValueError):
            raise _bad_box() from None
        return content

    def open_into(self, part: Part, at: int, box: memoryview, out: memoryview) -> None:
        """Open a box into memory that is there, `BOX_EXTRA` bytes shorter. Corrupt: `bad-box`."""
        context = self._identity + _PLACE.pack(at, part)
        try:
            self._cipher.decrypt_into(box[:_NONCE], box[_NONCE:], context, out)
        except (_invalid_tag(), ValueError):
            raise _bad_box() from None


class Vault:
    """Master keys: the first wraps the keys of new packs, the old ones still open what they did."""

    def __init__(self, key: bytes, old: Sequence[bytes] = ()) -> None:
        self._masters: dict[bytes, Any] = {}
        for master in (key, *old):
            if len(master) != _KEY:
                raise _bad_key("a master key")
            self._masters.setdefault(_key_id(master), _aes(_derived("wrapping", master)))
        self.key_id = _key_id(key)
        """Names the key that wraps; it tells nothing of the key itself."""
        self._locks: OrderedDict[bytes, PackLock] = OrderedDict()
        self._mutex = threading.Lock()

    def new_lock(self) -> PackLock:
        """The lock of a new pack; what goes into header and catalog is its `seal`."""
        identity, key = secrets.token_bytes(_IDENTITY), secrets.token_bytes(_KEY)
        return PackLock(identity, key, self._wrap(identity, key))

    def lock(self, seal: bytes) -> PackLock:
        """The lock that a seal stands for. Denied: `wrong-key`. Corrupt: `bad-seal`."""
        with self._mutex:
            found = self._locks.get(seal)
            if found is not None:
                self._locks.move_to_end(seal)
                return found
        identity, key = self._unwrap(seal)
        lock = PackLock(identity, key, seal)
        with self._mutex:
            self._locks[seal] = lock
            if len(self._locks) > _KEPT:
                self._locks.popitem(last=False)
        return lock

    def is_current(self, seal: bytes) -> bool:
        """Whether the key that wraps now wrapped this one."""
        return seal[:_ID] == self.key_id

    def rewrap(self, seal: bytes) -> bytes:
        """The same pack key, wrapped by the first master key. Nothing in the pack changes."""
        return self._wrap(*self._unwrap(seal))

    def seal_object(self, key: str, content: bytes) -> bytes:
        """Any other object of the store, such as a copy of the catalog, sealed for its key."""
        lock, name = self.new_lock(), key.encode()
        parts: list[bytes | memoryview] = [_OBJECT, lock.seal]
        at = len(_OBJECT) + SEAL_SIZE
        view = memoryview(content)
        for start in range(0, len(content) or 1, _PIECE):
            last = start + _PIECE >= len(content)
            part = Part.OBJECT_END if last else Part.OBJECT
            parts.append(lock.box(part, at, view[start : start + _PIECE], name))
            at += len(parts[-1])
        return b"".join(parts)

    def open_object(self, key: str, data: bytes) -> bytes:
        """Undo `seal_object`. Denied: `wrong-key`. Corrupt: `bad-seal`, `bad-box`."""
        at = len(_OBJECT) + SEAL_SIZE
        if data[: len(_OBJECT)] != _OBJECT or len(data) < at + BOX_EXTRA:
            raise Corrupt("bad-seal", f"{key} is no sealed object")
        lock, name = self.lock(data[len(_OBJECT) : at]), key.encode()
        parts, view = [], memoryview(data)
        while at < len(data):
            end = min(at + _PIECE + BOX_EXTRA, len(data))
            part = Part.OBJECT_END if end == len(data) else Part.OBJECT
            parts.append(lock.open(part, at, view[at:end], name))
            at = end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _wrap(self, identity: bytes, key: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        wrapped = self._masters[self.key_id].encrypt(nonce, key, _context(self.key_id, identity))
        return b"".join((self.key_id, identity, nonce, wrapped))

    def _unwrap(self, seal: bytes) -> tuple[bytes, bytes]:
        if len(seal) != SEAL_SIZE:
            raise Corrupt("bad-seal", "the key of a pack is damaged")
        key_id, identity = seal[:_ID], seal[_ID : _ID + _IDENTITY]
        master = self._masters.get(key_id)
        if master is None:
            shown = ", ".join(known.hex()[:8] for known in self._masters)
            raise Denied(
                "wrong-key", f"this was encrypted with key {key_id.hex()[:8]}, not with {shown}",
                hint="[encryption] in yard.toml says where the key is; old_keys still open packs",
            )  # fmt: skip
        nonce, wrapped = seal[_ID + _IDENTITY :][:_NONCE], seal[-_KEY - _TAG :]
        try:
            return identity, master.decrypt(nonce, wrapped, _context(key_id, identity))
        except _invalid_tag():
            raise Corrupt("bad-seal", "the key of a pack is damaged") from None


def identity_of(seal: bytes) -> bytes:
    """Which pack a seal belongs to, whatever master key it was wrapped by."""
    return seal[_ID : _ID + _IDENTITY]


def wrapping_of(seal: bytes) -> bytes:
    """What one act of wrapping made: the same twice only if it is the same seal."""
    return seal[_ID:]


def parse_key(text: str) -> bytes:
    """A master key: 32 bytes in hex or base64. InvalidInput: `bad-master-key`."""
    text = text.strip()
    try:
        if len(text) == 2 * _KEY:
            return bytes.fromhex(text)
        key = base64.b64decode(text.translate({45: 43, 95: 47}), validate=True)
    except (ValueError, binascii.Error):
        raise _bad_key("the master key") from None
    if len(key) != _KEY:
        raise _bad_key("the master key")
    return key


def load_key(where: str, root: Path, environ: Mapping[str, str]) -> bytes:
    """The master key from `env:NAME`, or from a file whose path may begin at `root`.

    Denied: `no-master-key` if nothing is there. InvalidInput: `bad-master-key`.
    """
    if where.startswith("env:"):
        name = where.removeprefix("env:")
        if not environ.get(name):
            raise Denied(
                "no-master-key", f"the environment has no {name}, where this yard's key should be",
                hint="set it, or name a file in [encryption] of yard.toml",
            )  # fmt: skip
        return parse_key(environ[name])
    place = root / where
    try:
        with place.open("rb") as file:
            content = file.read(1000)
    except OSError as error:
        raise Denied(
            "no-master-key", f"the key file {place} can't be read: {error.strerror}",
            hint="[encryption] in yard.toml says where the key is",
        ) from None  # fmt: skip
    return content if len(content) == _KEY else parse_key(content.decode("latin-1"))


def make_key(root: Path, where: str) -> Path | None:
    """A new master key in a file that only its owner can read; None if there is one already."""
    if where.startswith("env:") or (root / where).exists():
        return None
    place = root / where
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_KEY) + "\n")
        file.flush()
        os.fsync(descriptor)
    return place


def _key_id(master: bytes) -> bytes:
    return _derived("key id", master)[:_ID]


def _derived(purpose: str, master: bytes) -> bytes:
    return blake3.blake3(master, derive_key_context=f"modelyard 1 {purpose}").digest()


def _context(key_id: bytes, identity: bytes) -> bytes:
    return b"modelyard 1 pack key" + key_id + identity


def _bad_box() -> Corrupt:
    return Corrupt("bad-box", "a sealed part of the store is damaged or not in its place")


def _bad_key(what: str) -> InvalidInput:
    return InvalidInput(
        "bad-master-key", f"{what} is not 32 bytes in hex or base64",
        hint="openssl rand -hex 32 makes one",
    )  # fmt: skip


def _aes(key: bytes) -> Any:
    return need("cryptography.hazmat.primitives.ciphers.aead", "encryption").AESGCM(key)


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag

    return InvalidTag
