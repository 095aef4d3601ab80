"""Codec 4, `dictionary`: zstd with the parent's bytes as its dictionary.

For files that are no tensors (a pickle, a config, a recipe): what the new version shares with the
old is copied from it wherever it moved to. Payload: one zstd frame without content size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import zstandard

from modelyard.core.zstd import decompressed

if TYPE_CHECKING:
    from modelyard.store.codecs.workspace import Bytes

__all__ = ["LIMIT", "NUMBER", "decode", "encode"]

NUMBER = 4
LIMIT = 8 << 20
"""Largest file and base: both must fit zstd's window."""


def encode(source: Bytes, base: Bytes) -> bytes:
    """`source` in terms of `base`."""
    window = max(10, (len(source) + len(base)).bit_length())
    parameters = zstandard.ZstdCompressionParameters.from_level(
        1, source_size=len(source), dict_size=len(base), window_log=window,
        write_content_size=False, write_checksum=False, write_dict_id=False,
    )  # fmt: skip
    coder = zstandard.ZstdCompressor(dict_data=_raw(base), compression_params=parameters)
    return coder.compress(source.data)


def decode(payload: memoryview, base: Bytes, out: Bytes) -> None:
    """Undo `encode` into `out`."""
    coder = zstandard.ZstdDecompressor(dict_data=_raw(base), max_window_size=1 << 25)
    out[:] = np.frombuffer(decompressed(payload, len(out), coder), np.uint8)


def _raw(base: Bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base.tobytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
