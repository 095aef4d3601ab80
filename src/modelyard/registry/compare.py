"""Diff of two versions, of the same model or not: files, tensors, parameters, metrics."""

from __future__ import annotations

import difflib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from modelyard.core.closeness import Closeness, as_floats
from modelyard.core.diff import Diff, TensorChange, ValueChange, summarize
from modelyard.core.merge import change_tree
from modelyard.core.names import ModelRevision
from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.core.version import Progress
from modelyard.errors import ModelyardError
from modelyard.formats import read_tensor
from modelyard.registry.blobs import open_blob
from modelyard.registry.card import CARD_PATH
from modelyard.registry.files import contents
from modelyard.registry.inspections import inspection_of
from modelyard.registry.publish import manifest_of
from modelyard.store.extract import BlobFile, BlobReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.formats import Inspection
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House

__all__ = ["diff"]

_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class _Tensor:
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


def diff(
    house: House, a: str, b: str, limit: int | None, report: Callable[[Progress], None]
) -> Diff:
    """From `a` to `b`; tensors with the same chunks are not read."""
    old, new = (_side(house, text) for text in (a, b))
    old_tensors, new_tensors = _tensors(house, old), _tensors(house, new)
    pairs, removed, added = _match(old_tensors, new_tensors)
    changed = _compare(house, pairs, report)
    tensors = [
        *(_whole(t, "removed") for t in removed),
        *(_whole(t, "added") for t in added),
        *sorted(changed, key=lambda c: -(c.relative_change or 0.0)),
    ]
    files = change_tree(old.tree, new.tree)
    before, after = manifest_of(old.all_files), manifest_of(new.all_files)
    params = _values(before.params, after.params)
    metrics = _values(before.metrics, after.metrics)
    return Diff(
        a=old.title,
        b=new.title,
        files=files,
        tensors=tuple(tensors[:limit]),
        tensors_total=len(new_tensors),
        tensors_changed=len(tensors),
        params=params,
        metrics=metrics,
        card_changed=old.tree.get(CARD_PATH) != new.tree.get(CARD_PATH),
        text=summarize(files, tensors, len(new_tensors), params, metrics),
        structure=_structure(before.saved or {}, after.saved or {}),
    )


def _structure(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Steps or layers that are not in both, in their order."""
    lines = difflib.ndiff(old.get("structure", ()), new.get("structure", ()))
    return tuple(line.rstrip() for line in lines if line.startswith(("- ", "+ ")))


def _side(house: House, text: str) -> Contents:
    parsed = ModelRevision.parse(text)
    revision = None if parsed.revision is None else str(parsed.revision)
    return contents(house, parsed.model.text, revision)


def _tensors(house: House, found: Contents) -> list[_Tensor]:
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
            tensors += [_Tensor(path, t, blob, reader, inspection) for t in inspection.tensors]
    return tensors


def _match(
    old: Sequence[_Tensor], new: Sequence[_Tensor]
) -> tuple[list[tuple[_Tensor, _Tensor]], list[_Tensor], list[_Tensor]]:
    """Pair tensors by file and name, then by name, then by equal chunks (a rename)."""
    pairs: list[tuple[_Tensor, _Tensor]] = []
    rest_old, rest_new = list(old), list(new)
    keys: tuple[Callable[[_Tensor], object], ...] = (
        lambda t: (t.file, t.info.name),
        lambda t: t.info.name,
        lambda t: (tuple(t.chunks or ()), t.info.dtype, t.info.shape) if t.chunks else None,
    )
    for key in keys:
        there: dict[object, list[_Tensor]] = {}
        for tensor in rest_old:
            there.setdefault(key(tensor), []).append(tensor)
        there.pop(None, None)
        left: list[_Tensor] = []
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


def _compare(
    house: House,
    pairs: Sequence[tuple[_Tensor, _Tensor]],
    report: Callable[[Progress], None],
) -> list[TensorChange]:
    suspects = [pair for pair in pairs if not _surely_equal(*pair)]
    total = sum(new.info.nbytes or 0 for _, new in suspects)
    changes, done = [], 0
    for (_, new), change in zip(suspects, house.pool.map(_change, suspects), strict=True):
        done += new.info.nbytes or 0
        report(Progress("compare", done, total))
        if change is not None:
            changes.append(change)
    return changes


def _surely_equal(old: _Tensor, new: _Tensor) -> bool:
    if old.info.name != new.info.name or _kind(old) != _kind(new):
        return False
    if old.blob.id == new.blob.id and old.info == new.info:
        return True
    return old.chunks is not None and old.chunks == new.chunks


def _kind(tensor: _Tensor) -> tuple[object, ...]:
    return tensor.info.dtype, tensor.info.shape, tensor.info.order


def _change(pair: tuple[_Tensor, _Tensor]) -> TensorChange | None:
    """How one tensor changed; None if its values turn out to be the same."""
    old, new = pair
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


def _closeness(old: _Tensor, new: _Tensor) -> tuple[Closeness | None, bool]:
    """Statistics, and whether all bytes are the same; statistics are None for opaque dtypes."""
    close = Closeness()
    equal = True
    step = _BLOCK // max(ITEMSIZE.get(old.info.dtype, 1), ITEMSIZE.get(new.info.dtype, 1))
    if _is_raw(old) and _is_raw(new) and old.info.order == new.info.order:
        for at in range(0, max(old.info.elements, 1), step):
            a, b = _block(old, at, step), _block(new, at, step)
            equal = equal and len(a) == len(b) and bool(np.array_equal(a, b))
            x, y = as_floats(a, old.info.dtype), as_floats(b, new.info.dtype)
            if x is None or y is None:
                return None, equal
            close.add(x, y)
        return close, equal
    x, y = _values_of(old), _values_of(new)
    if x is None or y is None:
        return None, False
    equal = bool(np.array_equal(x, y, equal_nan=True))
    close.add(x, y)
    return close, equal


def _is_raw(tensor: _Tensor) -> bool:
    size = ITEMSIZE.get(tensor.info.dtype)
    return size is not None and tensor.info.start is not None


def _block(tensor: _Tensor, at: int, count: int) -> np.ndarray:
    size = ITEMSIZE[tensor.info.dtype]
    start = (tensor.info.start or 0) + at * size
    return tensor.reader.read(start, min(start + count * size, tensor.info.end or 0))


def _values_of(tensor: _Tensor) -> np.ndarray | None:
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


def _whole(tensor: _Tensor, change: Literal["added", "removed"]) -> TensorChange:
    return TensorChange(
        tensor.file,
        tensor.info.name,
        change,
        tensor.info.dtype,
        tensor.info.shape,
    )


def _values(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    return tuple(
        ValueChange(name, old.get(name), new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )
