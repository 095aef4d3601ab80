"""How many bytes a store would keep of some files, if it knew none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.tensor import ITEMSIZE, is_float
from modelyard.errors import ModelyardError
from modelyard.formats import inspect
from modelyard.store.chunking import SMALLEST_TENSOR, Span, cut, whole
from modelyard.store.codecs import encode, workspace
from modelyard.store.codecs.dictionary import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from modelyard.core.tensor import TensorInfo
    from modelyard.store.chunking import Segment

__all__ = ["stored_size"]

_ONE_CHUNK = 1 << 18
"""As commits have it: a file up to this size is one chunk."""


def stored_size(folder: Path) -> int:
    """Bytes of all files, cut and encoded as a commit would do it."""
    return sum(_stored(path) for path in sorted(folder.rglob("*")) if path.is_file())


def _stored(path: Path) -> int:
    size = path.stat().st_size
    tensors = _tensors(path)
    work, total = workspace(), 0
    with path.open("rb") as stream:

        def read(start: int, end: int) -> bytes:
            stream.seek(start)
            return stream.read(end - start)

        for segment in _segments(tensors, size, read):
            content = np.frombuffer(read(segment.start, segment.end), np.uint8)
            total += encode(content, segment.width, segment.is_float, None, work).length
    return total


def _segments(
    tensors: Sequence[TensorInfo], size: int, read: Callable[[int, int], bytes]
) -> Iterator[Segment]:
    if size <= _ONE_CHUNK or (not tensors and size <= LIMIT):
        return iter(whole(size, None))
    return cut([_span(each) for each in tensors], size, read)


def _span(info: TensorInfo) -> Span:
    width = ITEMSIZE.get(info.dtype, 1)
    wide = width if width in (2, 4, 8) else 1
    return Span(info.start or 0, info.end or 0, wide, is_float(info.dtype))


def _tensors(path: Path) -> list[TensorInfo]:
    """Those whose bytes lie raw in the file, in their order."""
    try:
        with path.open("rb") as stream:
            found = inspect(stream, path.name, scan=False).tensors
    except ModelyardError:
        return []
    large = [t for t in found if t.start is not None and (t.nbytes or 0) >= SMALLEST_TENSOR]
    return sorted(large, key=lambda t: t.start or 0)
