"""Typed JSON and MessagePack, whose decoders one thread at a time makes.

What msgspec (0.22) knows of a class it fills in while it makes the first decoder of it. A second
thread that decodes the class at that moment reads through a null pointer, and the process dies.
So nobody else in this package names a class to msgspec's `decode`, `Decoder` or `convert`.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

__all__ = ["converted", "decode_json", "decode_packed", "json_decoder", "packed_decoder"]

T = TypeVar("T")

_making = threading.RLock()
_json: dict[Any, msgspec.json.Decoder[Any]] = {}
_packed: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def json_decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a class from JSON."""
    found = _json.get(cls)
    if found is None:
        with _making:
            found = _json.setdefault(cls, msgspec.json.Decoder(cls))
    return found


def packed_decoder(cls: type[T]) -> msgspec.msgpack.Decoder[T]:
    """The decoder of a class from MessagePack."""
    found = _packed.get(cls)
    if found is None:
        with _making:
            found = _packed.setdefault(cls, msgspec.msgpack.Decoder(cls))
    return found


def decode_json(data: bytes | str | memoryview, cls: type[T]) -> T:
    """A value of this class; msgspec's errors if the JSON is not one's."""
    return json_decoder(cls).decode(data)


def decode_packed(data: bytes | memoryview, cls: type[T]) -> T:
    """A value of this class; msgspec's errors if the MessagePack is not one's."""
    return packed_decoder(cls).decode(data)


def converted(value: object, cls: type[T], **how: Any) -> T:
    """A value of this class, of plain dicts, lists, texts and numbers."""
    json_decoder(cls)
    made: T = msgspec.convert(value, cls, **how)
    return made
