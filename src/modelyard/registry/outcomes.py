"""What became of each row, kept beside an evaluation (docs/spec/journal-1.md, section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import zstandard

from modelyard.core.decoding import decode_packed
from modelyard.core.zstd import decompressed
from modelyard.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOST_ROWS", "decode_outcomes", "encode_outcomes", "kept_rows"]

MOST_ROWS = 100_000
_LARGEST = 64 << 20


def kept_rows(rows: int, digest: str) -> np.ndarray | None:
    """Indices of the rows that are kept, the same for the same data; None for all of them."""
    if rows <= MOST_ROWS:
        return None
    rng = np.random.default_rng(int(digest[:16] or "0", 16))
    return np.sort(rng.choice(rows, MOST_ROWS, replace=False))


def encode_outcomes(columns: Mapping[str, np.ndarray]) -> bytes:
    plain = {name: np.ascontiguousarray(column) for name, column in columns.items()}
    head = msgspec.msgpack.encode(
        [(name, column.dtype.newbyteorder("<").str, len(column)) for name, column in plain.items()]
    )
    parts = [len(head).to_bytes(4, "little"), head]
    parts += [column.astype(column.dtype.newbyteorder("<")).tobytes() for column in plain.values()]
    return zstandard.ZstdCompressor(level=3).compress(b"".join(parts))


def decode_outcomes(content: bytes) -> dict[str, np.ndarray]:
    """Columns by name. Corrupt: `bad-outcomes`."""
    try:
        plain = decompressed(content, _LARGEST)
        end = 4 + int.from_bytes(plain[:4], "little")
        at, found = end, {}
        head: list[tuple[str, str, int]] = decode_packed(plain[4:end], list[tuple[str, str, int]])
        for name, dtype, rows in head:
            kind: np.dtype[Any] = np.dtype(dtype)
            found[name] = np.frombuffer(plain, kind, rows, at)
            at += rows * kind.itemsize
    except (zstandard.ZstdError, msgspec.MsgspecError, ValueError, TypeError) as error:
        raise Corrupt("bad-outcomes", f"the rows of a report can't be read: {error}") from None
    return found
