"""Where files are cut: at tensors and then every MiB, or by content where there are none.

A tensor is cut from its own first byte, so that the same tensor in another file, format or place
gives the same chunks. Tensor boundaries come in as plain numbers; formats are known elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyfastcdc import FastCDC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.core.digest import ChunkId

__all__ = ["Segment", "Span", "by_content", "cut", "whole"]

CHUNK = 1 << 20
"""Chunks inside a tensor: ratios are the same for 256 KiB to 4 MiB, this is the fastest."""
SMALLEST_TENSOR = 1 << 10
"""Smaller ones stay with their neighbours: a row in the index costs more than it saves."""
_AVERAGE = 1 << 16
_WINDOW = 16 << 20
_SMALL_GAP = 1 << 18


class Span(NamedTuple):
    """A tensor's bytes in its file."""

    start: int
    end: int
    width: int
    """Bytes an element; 1 where elements have no planes."""
    is_float: bool
    bases: Sequence[ChunkId] = ()
    """The chunks of the parent's tensor, if it has the same dtype and shape."""


class Segment(NamedTuple):
    """A chunk to be: a stretch of a file and how to encode it."""

    start: int
    end: int
    width: int
    is_float: bool
    base: ChunkId | None


def whole(size: int, base: ChunkId | None) -> list[Segment]:
    """One chunk for a small file."""
    return [Segment(0, size, 1, False, base)] if size else []


def cut(spans: Sequence[Span], size: int, read: Callable[[int, int], bytes]) -> Iterator[Segment]:
    """Cut a file of `size` bytes along its tensors, sorted and without overlap."""
    at = 0
    for span in spans:
        if span.end - span.start < SMALLEST_TENSOR or span.start < at:
            continue
        yield from _gap(at, span.start, read)
        for i, start in enumerate(range(span.start, span.end, CHUNK)):
            base = span.bases[i] if i < len(span.bases) else None
            end = min(start + CHUNK, span.end)
            yield Segment(start, end, span.width, span.is_float, base)
        at = span.end
    yield from _gap(at, size, read)


def _gap(start: int, end: int, read: Callable[[int, int], bytes]) -> Iterator[Segment]:
    if start == end:
        return
    if end - start <= _SMALL_GAP:
        yield Segment(start, end, 1, False, None)
    else:
        yield from by_content(start, end, read)


def by_content(start: int, end: int, read: Callable[[int, int], bytes]) -> Iterator[Segment]:
    """Content-defined chunks of 64 KiB on average: insertions move cuts along."""
    cutter = FastCDC(avg_size=_AVERAGE, min_size=_AVERAGE // 4, max_size=_AVERAGE * 4)
    while start < end:
        window = read(start, min(start + _WINDOW, end))
        last = start + len(window) >= end
        cuts = [(chunk.offset, chunk.length) for chunk in cutter.cut_buf(window)]
        if not last and len(cuts) > 1:
            cuts.pop()  # it was cut by the window's end, not by content
        for offset, length in cuts:
            yield Segment(start + offset, start + offset + length, 1, False, None)
        start += cuts[-1][0] + cuts[-1][1]
