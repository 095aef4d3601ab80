"""Rows as 64-bit numbers: equal rows have equal ones, on every machine."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from modelyard.monitoring.rows import Array, Rows

__all__ = ["row_hashes"]

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_NULL: Final = 0x5851F42D4C957F2D


def row_hashes(rows: Rows) -> Array:
    """uint64 [rows], of inputs alone. Numbers are compared as float32, for that is how many models
    are asked; every missing value is the same."""
    found = np.zeros(rows.count, np.uint64)
    with np.errstate(over="ignore"):
        numbers = rows.numbers.astype(np.float32) + np.float32(0.0)  # -0.0 is 0.0
        numbers[np.isnan(numbers)] = np.nan  # of all NaNs one
        bits = np.ascontiguousarray(numbers.T).view(np.uint32).astype(np.uint64)
        for column in bits:
            found = _mixed(found * _ODD + column)
        for texts in rows.categories:
            codes = np.fromiter(map(_of_text, texts), np.uint64, rows.count)
            found = _mixed(found * _ODD + codes)
        for vectors in rows.vectors:
            body = np.ascontiguousarray(vectors, np.float32)
            codes = np.fromiter((_of_bytes(row.tobytes()) for row in body), np.uint64, rows.count)
            found = _mixed(found * _ODD + codes)
    return found


def _mixed(values: Array) -> Array:
    """The finalizer of splitmix64 (Steele, Lea, Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = values ^ (values >> np.uint64(31))
    return mixed


@lru_cache(65_536)
def _of_text(text: str | None) -> int:
    return _NULL if text is None else _of_bytes(text.encode("utf-8", "replace"))


def _of_bytes(body: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "little")
