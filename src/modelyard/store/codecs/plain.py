"""Codecs 0, `raw`, and 1, `zstd`: bytes as they are, or one zstd frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.zstd import decompressed
from modelyard.store.codecs.planes import plane_entropy

if TYPE_CHECKING:
    from modelyard.store.codecs.workspace import Bytes, Workspace

__all__ = ["RAW", "ZSTD", "decode_zstd", "encode"]

RAW = 0
ZSTD = 1
_SAMPLE = 1 << 16


def encode(
    source: Bytes, work: Workspace, *, thorough: bool = False
) -> tuple[int, list[bytes | memoryview]]:
    """The smaller of both; large noise is recognised from a sample and not tried.

    Args:
        thorough: Take more time, for bytes that many deltas will be made against.
    """
    if len(source) > _SAMPLE and plane_entropy(source) > 7.9:
        middle = len(source) // 2
        trial = work.fast.compress(source[middle : middle + _SAMPLE // 2].data)
        if len(trial) > _SAMPLE // 2 * 0.97:
            return RAW, [source.data]
    coded = (work.best if thorough else work.strong).compress(source.data)
    if len(coded) >= len(source) * 0.97:
        return RAW, [source.data]
    return ZSTD, [coded]


def decode_zstd(payload: memoryview, out: Bytes, work: Workspace) -> None:
    raw = decompressed(payload, len(out), work.decompressor)
    out[:] = np.frombuffer(raw, np.uint8)
