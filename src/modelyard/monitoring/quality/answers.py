"""Answers that wait for their truth, packed: about 16 bytes a row.

A segment holds the answers of one version of some seconds, in the order of their keys, so that
truths are joined by binary search. What is kept of an answer is only what its truth will be held
against: what was predicted, how surely, when, and the groups it is of; no input.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import zstandard

from modelyard.core.decoding import decode_packed
from modelyard.core.zstd import decompressed
from modelyard.errors import Corrupt
from modelyard.monitoring.folding import group_codes
from modelyard.monitoring.predictions import MOST_GROUPS
from modelyard.monitoring.truths import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.rows import Array, Rows

__all__ = [
    "Answers", "join_answers", "keys_of", "pack_answers", "pack_joined",
    "unpack_answers", "unpack_joined",
]  # fmt: skip

_VERSION: Final = 1
_LARGEST: Final = 64 << 20
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


class _Packed(msgspec.Struct, array_like=True):
    version: int
    classes: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    first: int
    keys: bytes
    times: bytes
    labels: bytes | None
    scores: bytes | None
    values: bytes | None
    codes: dict[str, bytes]
    seen: bytes | None = None


@dataclass(slots=True, eq=False)
class Answers:
    """Some answers of a version, by key."""

    classes: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    """Groups that are told apart, by column."""
    keys: Array
    """uint64 [rows], ascending: see `keys_of`."""
    times: Array
    """int64 [rows]: seconds since 1970."""
    labels: Array | None
    """int16 [rows]: -1: none of the classes."""
    scores: Array | None
    """float32 [rows]: probability of the second of two classes, of the predicted one of more."""
    values: Array | None
    """float64 [rows]: what is predicted otherwise."""
    codes: dict[str, Array]
    """By column uint8 [rows]: the place of its group; beyond the last: other."""
    seen: Array | None = None
    """uint8 [rows]: whether it is a row of the reference: `leakage.Known.seen`."""

    def confidence(self) -> Array | None:
        """float64 [rows]: probability of the predicted class."""
        if self.scores is None or self.labels is None:
            return None
        scores = self.scores.astype(np.float64)
        return np.where(self.labels == 1, scores, 1 - scores) if self._two else scores

    def second(self) -> Array | None:
        """float64 [rows]: probability of the second of two classes."""
        if self.scores is None or not self._two:
            return None
        return self.scores.astype(np.float64)

    @property
    def _two(self) -> bool:
        return len(self.classes) == 2

    def places(self, keys: Array) -> Array:
        """int64 [keys]: where each is, the newest if there are several; -1: not here."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        found = np.searchsorted(self.keys, keys, side="right") - 1
        return np.where((found >= 0) & (self.keys[found] == keys), found, -1)


def keys_of(requests: Sequence[str], places: Array | None = None) -> Array:
    """uint64 [rows]: 64 bits of BLAKE2b of each request's id, mixed with the row's place in it."""
    known = {
        request: blake2b(request.encode(), digest_size=8).digest()
        for request in dict.fromkeys(requests)
    }
    parts = known.values() if len(known) == len(requests) else map(known.__getitem__, requests)
    keys = np.frombuffer(b"".join(parts), "<u8").astype(np.uint64)
    return keys if places is None else keys + places.astype(np.uint64) * _MIX


# -- packing -----------------------------------------------------------------------------------


def pack_answers(rows: Rows, times: Array, seen: Array | None = None) -> bytes:
    """The answers of these rows, so that truths can be joined.

    Args:
        times: float64 [rows]: when each was answered, in seconds since 1970.
        seen: uint8 [rows], as `leakage.Known.seen` gives it.
    """
    schema = rows.schema
    scores = None
    if rows.scores is not None and rows.labels is not None and len(schema.classes) > 1:
        which = 1 if len(schema.classes) == 2 else rows.labels
        scores = rows.scores[np.arange(rows.count), which].astype(np.float32)
    groups = {name: _values(schema, name) for name in schema.groups if schema.column(name)}
    codes = group_codes(rows)
    return _pack(
        Answers(
            schema.classes, {name: groups[name] for name in codes},
            keys_of(rows.requests, rows.places), times.astype(np.int64),
            None if rows.labels is None else rows.labels.astype(np.int16), scores,
            None if rows.values is None else rows.values.astype(np.float64),
            {
                name: np.minimum(found, len(groups[name])).astype(np.uint8)
                for name, found in codes.items()
            },
            seen,
        )
    )  # fmt: skip


def _values(schema: Schema, name: str) -> tuple[str, ...]:
    column = schema.column(name)
    return () if column is None else column.categories[:MOST_GROUPS]


def _pack(answers: Answers) -> bytes:
    order = np.argsort(answers.keys, kind="stable")
    first = int(answers.times.min()) if len(order) else 0
    packed = _Packed(
        _VERSION, answers.classes, answers.groups, first,
        answers.keys[order].astype("<u8").tobytes(),
        (answers.times[order] - first).astype("<u4").tobytes(),
        _bytes(answers.labels, order, "<i2"), _bytes(answers.scores, order, "<f4"),
        _bytes(answers.values, order, "<f8"),
        {name: codes[order].tobytes() for name, codes in answers.codes.items()},
        _bytes(answers.seen, order, "u1"),
    )  # fmt: skip
    return zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(packed))


def _bytes(values: Array | None, order: Array, dtype: str) -> bytes | None:
    return None if values is None else values[order].astype(dtype).tobytes()


def unpack_answers(body: bytes) -> Answers:
    """Corrupt: `bad-answers`."""
    try:
        packed = decode_packed(decompressed(body, _LARGEST), _Packed)
        if packed.version != _VERSION:
            raise _bad()
        made = Answers(
            packed.classes, packed.groups, np.frombuffer(packed.keys, "<u8"),
            np.frombuffer(packed.times, "<u4").astype(np.int64) + packed.first,
            _array(packed.labels, "<i2"), _array(packed.scores, "<f4"),
            _array(packed.values, "<f8"),
            {name: np.frombuffer(codes, np.uint8) for name, codes in packed.codes.items()},
            _array(packed.seen, "u1"),
        )  # fmt: skip
    except (zstandard.ZstdError, msgspec.MsgspecError, ValueError) as error:
        raise _bad() from error
    parts = (made.times, made.labels, made.scores, made.values, made.seen, *made.codes.values())
    if any(part is not None and len(part) != len(made.keys) for part in parts):
        raise _bad()
    return made


def _array(data: bytes | None, dtype: str) -> Array | None:
    return None if data is None else np.frombuffer(data, dtype)


def _bad() -> Corrupt:
    return Corrupt("bad-answers", "answers that were kept for their truth can't be read")


# -- what is known -----------------------------------------------------------------------------


def unpack_joined(data: bytes, answers: Answers) -> Array:
    """What is known of each: a new array. Corrupt: `bad-answers`."""
    is_class = answers.labels is not None and bool(answers.classes)
    dtype, size = ("<i2", 2) if is_class else ("<f8", 8)
    rows = len(answers.keys)
    if not data:
        return np.full(rows, UNKNOWN if is_class else np.nan, dtype)
    try:
        plain = decompressed(data, rows * size)
    except zstandard.ZstdError as error:
        raise _bad() from error
    if len(plain) != rows * size:
        raise _bad()
    return np.frombuffer(plain, dtype).copy()


def pack_joined(known: Array) -> bytes:
    """Of `unpack_joined`."""
    return zstandard.ZstdCompressor(level=1).compress(known.tobytes())


def join_answers(parts: Sequence[tuple[bytes, bytes]]) -> list[tuple[list[int], bytes, bytes]]:
    """Segments as larger ones: of each the places of those it is made of, body and joined.

    Only segments whose classes and groups are the same come together. Corrupt: `bad-answers`.
    """
    alike: dict[object, list[tuple[int, Answers, Array]]] = {}
    for place, (body, joined) in enumerate(parts):
        answers = unpack_answers(body)
        kind = (
            answers.classes, tuple(sorted(answers.groups.items())), answers.labels is None,
            answers.scores is None, answers.values is None, answers.seen is None,
        )  # fmt: skip
        alike.setdefault(kind, []).append((place, answers, unpack_joined(joined, answers)))
    made = []
    for group in alike.values():
        whole = _joined([answers for _, answers, _ in group])
        known = np.concatenate([known for *_, known in group])
        order = np.argsort(whole.keys, kind="stable")
        is_known = (known != UNKNOWN) if known.dtype.kind == "i" else ~np.isnan(known)
        joined = pack_joined(known[order]) if is_known.any() else b""
        made.append(([place for place, *_ in group], _pack(whole), joined))
    return made


def _joined(parts: Sequence[Answers]) -> Answers:
    first = parts[0]
    return Answers(
        first.classes, first.groups, np.concatenate([a.keys for a in parts]),
        np.concatenate([a.times for a in parts]), _one([a.labels for a in parts]),
        _one([a.scores for a in parts]), _one([a.values for a in parts]),
        {name: np.concatenate([a.codes[name] for a in parts]) for name in first.codes},
        _one([a.seen for a in parts]),
    )  # fmt: skip


def _one(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
