"""Tiles as bytes (docs/spec/tile-1.md): MessagePack in a zstd frame, counts as small as they are.

A tile names the schema that it was folded by with two digests. What another schema folded can't be
added up with this one's; how requests went always can, and truths if the classes are the same (of
groups, if these are the same too).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import zstandard

from modelyard.core.decoding import decode_packed
from modelyard.core.zstd import decompressed
from modelyard.monitoring.folding import new_tile
from modelyard.monitoring.packed import (
    PackedCategory,
    PackedGroup,
    PackedNumber,
    PackedPerformance,
    PackedPredicted,
    PackedTile,
    PackedTogether,
    PackedTruth,
    PackedVector,
    bad_tile,
    pack_array,
    unpack_array,
)
from modelyard.monitoring.sketching import library
from modelyard.monitoring.truths import group_count

if TYPE_CHECKING:
    from modelyard.core.monitoring import Column, Schema
    from modelyard.monitoring.tiles import NumberTile, PerformanceTile, Tile, TruthTile

__all__ = ["digests", "pack", "truth_rows", "unpack", "unpack_truth"]

_VERSION: Final = 1
_LARGEST: Final = 64 << 20
"""Bytes, unpacked."""
_WIDE: Final = 16
"""With more classes, expectations are kept as float32: they are the largest part, and estimates."""

_GARBAGE: Final = (ValueError, RuntimeError, IndexError, MemoryError)
"""What sketches and arrays make of it."""


@lru_cache(64)
def digests(schema: Schema) -> tuple[bytes, bytes, bytes]:
    """Of all of a schema that tiles depend on, of what truths do, and of that without groups:
    eight bytes each."""
    columns = [_column(column) for column in schema.columns]
    groups = [(n, group_count(schema, n), schema.column(n)) for n in schema.groups]
    kinds = [schema.task, schema.classes, schema.values is not None]
    known = [
        *kinds,
        [(name, column.categories[: count - 1]) for name, count, column in groups if column],
    ]
    values = None if schema.values is None else _column(schema.values)
    return _hash([columns, schema.groups, values, known]), _hash(known), _hash(kinds)


def _column(column: Column) -> list[Any]:
    ends = [None if end is None else float(end) for end in (column.low, column.high)]
    edges = np.array(column.edges, "<f8").tobytes()
    return [column.name, column.kind, column.size, edges, column.categories, ends]


def _hash(value: Any) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(value), digest_size=8).digest()


# -- packing ---------------------------------------------------------------------------------------


def pack(tile: Tile) -> bytes:
    """The bytes of a tile: of 20 numbers at most 100 KB, whatever it saw."""
    data, classes, kinds = digests(tile.schema)
    few = len(tile.schema.classes) <= _WIDE
    empty = tile.rows == 0
    said = tile.predicted
    packed = PackedTile(
        _VERSION, data, classes, tile.rows, _performance(tile.performance),
        None if tile.truth.rows == 0 and not tile.truth.lags.any() else _truth(tile.truth),
        [] if empty else [_number(number) for number in tile.numbers],
        [] if empty else [
            PackedCategory(pack_array(c.counts), c.rows, c.nulls, _sketch(c.distinct),
                      _sketch(c.frequent))
            for c in tile.categories
        ],
        [] if empty else [
            PackedVector(pack_array(v.total), pack_array(v.features), v.rows,
                    v.nulls, v.norm_mean, v.norm_m2)
            for v in tile.vectors
        ],
        None if empty else PackedPredicted(
            said.rows, pack_array(said.labels), pack_array(said.scores),
            pack_array(said.expected, small=not few),
            pack_array(said.expected_square, small=not few), said.scored,
            None if said.values is None else _number(said.values), said.not_finite,
        ),
        {} if empty else {
            name: PackedGroup(pack_array(g.labels), pack_array(g.rows), pack_array(g.sums),
                         pack_array(g.squares), pack_array(g.expected))
            for name, g in tile.groups.items()
        },
        None if empty or tile.together is None else PackedTogether(
            pack_array(tile.together.total), pack_array(tile.together.products),
            tile.together.rows,
        ),
        kinds,
    )  # fmt: skip
    return zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(packed))


def _sketch(sketch: Any) -> bytes | None:
    if sketch is None or sketch.is_empty():
        return None
    kept: bytes = (
        sketch.serialize_compact() if hasattr(sketch, "serialize_compact") else sketch.serialize()
    )
    return bytes(kept)


def _number(tile: NumberTile) -> PackedNumber:
    return PackedNumber(
        pack_array(tile.counts), tile.rows, tile.nulls, tile.infinite, tile.outside, tile.mean,
        tile.m2, tile.low, tile.high, _sketch(tile.kll),
    )  # fmt: skip


def _performance(tile: PerformanceTile) -> PackedPerformance:
    return PackedPerformance(
        tile.requests, tile.rows, tile.outcomes, pack_array(tile.latency), pack_array(tile.sums),
        pack_array(tile.batches), tile.cold, tile.dropped,
    )  # fmt: skip


def _truth(tile: TruthTile) -> PackedTruth:
    return PackedTruth(
        pack_array(tile.confusion), pack_array(tile.calibration), pack_array(tile.lags), tile.rows,
        tile.unlisted, None if tile.errors is None else pack_array(tile.errors),
        {name: pack_array(group) for name, group in tile.groups.items()},
        None if tile.ranks is None else pack_array(tile.ranks),
    )  # fmt: skip


# -- unpacking -------------------------------------------------------------------------------------


def unpack(data: bytes, schema: Schema) -> Tile:
    """A tile of its bytes; what this schema did not fold is left out.

    Of a tile of another schema comes how requests went, and truths if classes are the same, those
    of groups if groups are too; its `rows` are 0 then, so that nothing is made of them.

    Raises:
        Corrupt: `bad-tile`.
    """
    return _filled(_opened(data), schema)


def unpack_truth(data: bytes, schema: Schema) -> Tile | None:
    """As `unpack`; None if it holds truths of other classes: they must not be lost by writing this
    tile again. Corrupt: `bad-tile`."""
    packed = _opened(data)
    if packed.truth is not None and not _is_alike(packed, schema):
        return None
    return _filled(packed, schema)


def truth_rows(data: bytes) -> int:
    """Rows whose truth is known, of whatever schema. Corrupt: `bad-tile`."""
    packed = _opened(data)
    return 0 if packed.truth is None else packed.truth.rows


def _opened(data: bytes) -> PackedTile:
    try:
        packed = decode_packed(decompressed(data, _LARGEST), PackedTile)
    except (zstandard.ZstdError, msgspec.DecodeError, ValueError) as error:
        raise bad_tile() from error
    if packed.version != _VERSION:
        raise bad_tile()
    return packed


def _filled(packed: PackedTile, schema: Schema) -> Tile:
    tile = new_tile(schema)
    try:
        _fill(tile, packed)
    except (ValueError, RuntimeError, IndexError) as error:
        raise bad_tile() from error
    return tile


def _is_alike(packed: PackedTile, schema: Schema) -> bool:
    """Whether its truths are of the same classes."""
    _, classes, kinds = digests(schema)
    return packed.classes == classes or packed.kinds == kinds


def _fill(tile: Tile, packed: PackedTile) -> None:
    data, classes, _ = digests(tile.schema)
    _fill_performance(tile.performance, packed.performance)
    if packed.truth is not None and _is_alike(packed, tile.schema):
        _fill_truth(tile.truth, packed.truth)
        if packed.classes == classes:
            _fill_truth_groups(tile.truth, packed.truth, tile.schema)
    if packed.data != data or packed.rows == 0:
        return
    tile.rows = packed.rows
    for number, of_number in zip(tile.numbers, packed.numbers, strict=True):
        _fill_number(number, of_number)
    found = library()
    for category, of_texts in zip(tile.categories, packed.categories, strict=True):
        category.counts = unpack_array(of_texts.counts, category.counts)
        category.rows, category.nulls = of_texts.rows, of_texts.nulls
        if found is not None and of_texts.distinct is not None:
            category.distinct = found.hll_sketch.deserialize(of_texts.distinct)
        if found is not None and of_texts.frequent is not None:
            category.frequent = found.frequent_strings_sketch.deserialize(of_texts.frequent)
    for vector, of_vector in zip(tile.vectors, packed.vectors, strict=True):
        vector.total = unpack_array(of_vector.total, vector.total)
        vector.features = unpack_array(of_vector.features, vector.features)
        vector.rows, vector.nulls = of_vector.rows, of_vector.nulls
        vector.norm_mean, vector.norm_m2 = of_vector.norm_mean, of_vector.norm_m2
    if tile.together is not None and packed.together is not None:
        tile.together.total = unpack_array(packed.together.total, tile.together.total)
        tile.together.products = unpack_array(packed.together.products, tile.together.products)
        tile.together.rows = packed.together.rows
    said, of_said = tile.predicted, packed.predicted
    if of_said is None or set(packed.groups) != set(tile.groups):
        raise bad_tile()
    said.rows, said.scored, said.not_finite = of_said.rows, of_said.scored, of_said.not_finite
    for name in ("labels", "scores", "expected", "expected_square"):
        setattr(said, name, unpack_array(getattr(of_said, name), getattr(said, name)))
    if said.values is not None and of_said.values is not None:
        _fill_number(said.values, of_said.values)
    for column, group in tile.groups.items():
        for name in ("labels", "rows", "sums", "squares", "expected"):
            kept = getattr(packed.groups[column], name)
            setattr(group, name, unpack_array(kept, getattr(group, name)))


def _fill_number(tile: NumberTile, packed: PackedNumber) -> None:
    tile.counts = unpack_array(packed.counts, tile.counts)
    for name in ("rows", "nulls", "infinite", "outside", "mean", "m2", "low", "high"):
        setattr(tile, name, getattr(packed, name))
    found = library()
    if found is not None and packed.kll is not None:
        tile.kll = found.kll_floats_sketch.deserialize(packed.kll)


def _fill_performance(tile: PerformanceTile, packed: PackedPerformance) -> None:
    for name in ("requests", "rows", "outcomes", "cold", "dropped"):
        setattr(tile, name, getattr(packed, name))
    for name in ("latency", "sums", "batches"):
        setattr(tile, name, unpack_array(getattr(packed, name), getattr(tile, name)))


def _fill_truth(tile: TruthTile, packed: PackedTruth) -> None:
    tile.rows, tile.unlisted = packed.rows, packed.unlisted
    for name in ("confusion", "calibration", "lags", "errors", "ranks"):
        kept, like = getattr(packed, name), getattr(tile, name)
        if like is not None and kept is not None:
            setattr(tile, name, unpack_array(kept, like))


def _fill_truth_groups(tile: TruthTile, packed: PackedTruth, schema: Schema) -> None:
    count = len(schema.classes)
    for column, group in packed.groups.items():
        groups = group_count(schema, column)
        like = np.zeros((groups, count, count), np.int64) if count else np.zeros((groups, 7))
        tile.groups[column] = unpack_array(group, like)
