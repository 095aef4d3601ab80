"""Tensors of two versions side by side: which belong together, and how far they are apart."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from modelyard.core.closeness import Closeness, as_floats
from modelyard.core.diff import TensorChange
from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.errors import ModelyardError
from modelyard.formats import read_tensor
from modelyard.registry.blobs import open_blob
from modelyard.registry.inspections import inspection_of
from modelyard.store.codecs import workspace
from modelyard.store.extract import BlobFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.formats import Inspection
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.extract import BlobReader

    Floats = np.ndarray[Any, Any]

__all__ = ["StoredTensor", "blocks_of", "change_of", "match", "surely_equal", "tensors_of"]

_BLOCK = 4 << 20
_CACHED = 1 << 15
"""Elements that are turned into floats, and used while they are in the processor's cache."""
_ROOMS = ("old", "new")


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a version, and where it is read from."""

    file: str
    info: TensorInfo
    blob: BlobRow
    reader: BlobReader
    inspection: Inspection

    @property
    def chunks(self) -> Sequence[bytes] | None:
        """Its chunks, if the file was cut at its ends."""
        if self.info.start is None or self.info.end is None:
            return None
        return self.reader.chunks_of(self.info.start, self.info.end)


def tensors_of(house: House, found: Contents) -> list[StoredTensor]:
    """All tensors of a version, file by file."""
    tensors = []
    for path, entry in sorted(found.tree.items()):
        if entry.inline is not None:
            continue
        blob = found.blob(entry)
        if blob.inspection_id is None:
            continue
        inspection = inspection_of(house, blob)
        if inspection.tensors:
            reader = open_blob(house, blob)
            tensors += [StoredTensor(path, t, blob, reader, inspection) for t in inspection.tensors]
    return tensors


def match(
    old: Sequence[StoredTensor], new: Sequence[StoredTensor]
) -> tuple[list[tuple[StoredTensor, StoredTensor]], list[StoredTensor], list[StoredTensor]]:
    """Pair tensors by file and name, then by name, then by equal chunks (a rename).

    Gives the pairs, and what is left of the old and of the new ones.
    """
    pairs: list[tuple[StoredTensor, StoredTensor]] = []
    rest_old, rest_new = list(old), list(new)
    keys: tuple[Callable[[StoredTensor], object], ...] = (
        lambda t: (t.file, t.info.name),
        lambda t: t.info.name,
        lambda t: (tuple(t.chunks or ()), t.info.dtype, t.info.shape) if t.chunks else None,
    )
    for key in keys:
        there: dict[object, list[StoredTensor]] = {}
        for tensor in rest_old:
            there.setdefault(key(tensor), []).append(tensor)
        there.pop(None, None)
        left: list[StoredTensor] = []
        for tensor in rest_new:
            candidates = there.get(key(tensor))
            if candidates:
                pairs.append((candidates.pop(0), tensor))
            else:
                left.append(tensor)
        taken = {id(pair[0]) for pair in pairs}
        rest_old = [tensor for tensor in rest_old if id(tensor) not in taken]
        rest_new = left
    return pairs, rest_old, rest_new


def surely_equal(old: StoredTensor, new: StoredTensor) -> bool:
    """Whether names of chunks alone tell that nothing changed."""
    if old.info.name != new.info.name or _kind(old) != _kind(new):
        return False
    if old.blob.id == new.blob.id and old.info == new.info:
        return True
    return old.chunks is not None and old.chunks == new.chunks


def _kind(tensor: StoredTensor) -> tuple[object, ...]:
    return tensor.info.dtype, tensor.info.shape, tensor.info.order


def change_of(old: StoredTensor, new: StoredTensor) -> TensorChange | None:
    """How one tensor changed; None if its values turn out to be the same."""
    renamed = old.info.name != new.info.name
    same_kind = _kind(old) == _kind(new)
    close: Closeness | None = None
    if old.info.shape == new.info.shape:
        if renamed and same_kind and old.chunks == new.chunks:
            close = None
        else:
            close, equal = _closeness(old, new)
            if equal and same_kind and not renamed:
                return None
    return TensorChange(
        file=new.file,
        name=new.info.name,
        change="renamed" if renamed else "changed",
        dtype=new.info.dtype,
        shape=new.info.shape,
        old_dtype=old.info.dtype if old.info.dtype != new.info.dtype else None,
        old_shape=old.info.shape if old.info.shape != new.info.shape else None,
        relative_change=close.relative_change if close else None,
        cosine=close.cosine if close else None,
        max_abs=close.max_abs if close else None,
    )


def _closeness(old: StoredTensor, new: StoredTensor) -> tuple[Closeness | None, bool]:
    """Statistics, and whether all bytes are the same; statistics are None for opaque dtypes."""
    close = Closeness()
    if not _are_raw(old, new):
        x, y = _values_of(old), _values_of(new)
        if x is None or y is None:
            return None, False
        close.add(x, y)
        return close, bool(np.array_equal(x, y, equal_nan=True))
    equal = True
    sizes = ITEMSIZE[old.info.dtype], ITEMSIZE[new.info.dtype]
    for _, a, b in _raw_blocks(old, new):
        equal = equal and len(a) == len(b) and bool(np.array_equal(a, b))
        count = max(len(a) // sizes[0], 1)
        step = _CACHED if min(sizes) < 4 else count
        for at in range(0, count, step):
            piece, other = (
                raw[at * size : (at + step) * size] for raw, size in zip((a, b), sizes, strict=True)
            )
            x, y = as_floats(piece, old.info.dtype), as_floats(other, new.info.dtype)
            if x is None or y is None:
                return None, equal
            close.add(x, y)
    return close, equal


def blocks_of(
    old: StoredTensor, new: StoredTensor, *, every: int = 1
) -> Iterator[tuple[int, Floats, Floats]]:
    """The values of two tensors of one shape: where a block begins, and both sides of it.

    They lie in this thread's workspace until the next block does. Nothing for opaque dtypes.

    Args:
        every: Read only one block of so many.
    """
    if not _are_raw(old, new):
        x, y = _values_of(old), _values_of(new)
        if x is not None and y is not None:
            yield 0, x, y
        return
    for at, a, b in _raw_blocks(old, new, every):
        x, y = as_floats(a, old.info.dtype), as_floats(b, new.info.dtype)
        if x is None or y is None:
            return
        yield at, x, y


def _are_raw(old: StoredTensor, new: StoredTensor) -> bool:
    known = all(t.info.dtype in ITEMSIZE and t.info.start is not None for t in (old, new))
    return known and old.info.order == new.info.order


def _raw_blocks(
    old: StoredTensor, new: StoredTensor, every: int = 1
) -> Iterator[tuple[int, Bytes, Bytes]]:
    """Bytes of the same elements; they lie in this thread's workspace until the next ones do."""
    sizes = ITEMSIZE[old.info.dtype], ITEMSIZE[new.info.dtype]
    step = _BLOCK // max(sizes)
    work = workspace()
    elements = old.info.elements
    for at in range(0, max(elements, 1), step * every):
        count = min(step, elements - at)
        rooms = [work.bytes(name, count * size) for name, size in zip(_ROOMS, sizes, strict=True)]
        starts = [
            (t.info.start or 0) + at * size for t, size in zip((old, new), sizes, strict=True)
        ]
        old.reader.read_beside(starts[0], rooms[0], new.reader, starts[1], rooms[1])
        yield at, rooms[0], rooms[1]


def _values_of(tensor: StoredTensor) -> Floats | None:
    """The values of a tensor that lies compressed, or in another order."""
    file = cast("Any", io.BufferedReader(BlobFile(tensor.reader), 1 << 17))
    try:
        values = read_tensor(file, tensor.file, tensor.inspection, tensor.info)
    except ModelyardError:
        return None
    if values.dtype.kind not in "fiubc":
        return None
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat.astype("<f8") if flat.dtype.kind in "iub" or flat.dtype.itemsize == 2 else flat
