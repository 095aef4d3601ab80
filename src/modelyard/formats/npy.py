"""Numpy's own files: one array (`.npy`), or a zip of them (`.npz`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.core.tensor import TensorInfo
from modelyard.core.version import Finding
from modelyard.errors import Unsupported
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.pickles.dtypes import Dtype, dtype_of_text
from modelyard.formats.reading import Json, Region, bad, printable
from modelyard.formats.zips import STORED, Member, head_of, members, unpack

if TYPE_CHECKING:
    import numpy as np

__all__ = ["inspect", "inspect_members", "read"]

_HEADER = 1 << 16
_PLAIN = re.compile(
    rb"\{'descr': '([<>|=?\w\[\]]+)', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, L]*)\),? ?\}\s*\Z"
)


@dataclass(frozen=True, slots=True)
class _Header:
    dtype: Dtype
    shape: tuple[int, ...]
    order: str
    start: int

    @property
    def size(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """One array; `.npz` files come here too."""
    region = Region(file, kind="bad-npy")
    if region.upto(0, 2) == b"PK":
        return inspect_members(file, path, members(file, budget), budget)
    header = _header(region.upto(0, _HEADER + 12))
    name = path.rpartition("/")[2].removesuffix(".npy")
    if header.dtype.has_objects:
        return Inspection("npy", findings=_objects(file, path, header.start, region.size, budget))
    tensor, findings = _array(name, header, 0, region.size, path)
    return Inspection("npy", tensors=(tensor,), findings=findings)


def inspect_members(
    file: BinaryIO, path: str, entries: tuple[Member, ...], budget: Budget
) -> Inspection:
    """The arrays of an `.npz` file."""
    tensors: list[TensorInfo] = []
    findings: list[Finding] = []
    for member in entries:
        if not member.name.endswith(".npy"):
            continue
        where = f"{path}:{printable(member.name)}"
        name = member.name.removesuffix(".npy")
        header = _header(head_of(file, member, _HEADER + 12))
        if header.dtype.has_objects:
            findings += _member_objects(file, where, member, header, budget)
        elif member.method == STORED:
            tensor, extra = _array(name, header, member.start, member.size, where)
            tensors.append(tensor)
            findings += extra
        else:
            _check_size(header, member.size, where)
            tensors.append(TensorInfo(name, header.dtype.name, header.shape, order=header.order))
        if budget.spent:
            raise bad("bad-npy", f"{len(entries)} arrays take too long to read")
    return Inspection("npz", tensors=tuple(tensors), findings=tuple(findings))


def read(file: BinaryIO, inspection: Inspection, tensor: TensorInfo) -> np.ndarray[Any, Any]:
    """An array that lies deflated in an `.npz` file, or in the other byte order."""
    import numpy as np

    budget = Budget().begun()
    if inspection.format == "npy":
        region = Region(file, kind="bad-npy")
        data = region.read(0, region.size)
    else:
        entries = {member.name: member for member in members(file, budget)}
        data = unpack(file, entries[f"{tensor.name}.npy"], 1 << 40)
    header = _header(data[: _HEADER + 12])
    text = _descr(data)
    if header.dtype.name != tensor.dtype or text is None:
        raise Unsupported("tensor-opaque", f"{tensor.name} has a dtype that can't be read")
    flat = np.frombuffer(data, np.dtype(text), prod(header.shape), header.start)
    array = flat.reshape(header.shape, order="F" if header.order == "F" else "C")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _descr(data: bytes) -> str | None:
    found = _PLAIN.search(data[: _HEADER + 12].partition(b"\n")[0][10:].lstrip(b"\0"))
    return found[1].decode() if found else None


def _array(
    name: str, header: _Header, base: int, size: int, where: str
) -> tuple[TensorInfo, tuple[Finding, ...]]:
    _check_size(header, size, where)
    start = base + header.start
    end = start + header.size
    findings: tuple[Finding, ...] = ()
    if end < base + size:
        findings = (Finding("trailing-bytes", "warning", "bytes follow the array", where),)
    if header.dtype.swapped or start == end:
        return TensorInfo(name, header.dtype.name, header.shape, order=header.order), findings
    return TensorInfo(name, header.dtype.name, header.shape, start, end, header.order), findings


def _check_size(header: _Header, size: int, where: str) -> None:
    if header.start + header.size > size:
        raise bad("bad-npy", f"{where}: the array is longer than the file")


def _header(head: bytes) -> _Header:
    if head[:6] != b"\x93NUMPY" or len(head) < 10 or head[6] not in (1, 2, 3):
        raise bad("bad-npy", "an array has no header of numpy")
    width = 2 if head[6] == 1 else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    start = 8 + width + length
    if length > _HEADER or start > len(head):
        raise bad("bad-npy", f"the header of an array can't have {length} bytes")
    text = head[8 + width : start]
    found = _PLAIN.match(text)
    if found is not None:
        sides = [
            side for side in found[3].replace(b"L", b"").replace(b" ", b"").split(b",") if side
        ]
        dtype = dtype_of_text(found[1].decode("latin-1"))
        return _checked(dtype, tuple(int(side[:20]) for side in sides), found[2] == b"True", start)
    return _unusual(text, start)


def _unusual(text: bytes, start: int) -> _Header:
    """Structured dtypes, and headers that another program wrote: a literal, never evaluated."""
    import ast

    try:
        value = ast.literal_eval(text.decode("utf-8"))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise bad("bad-npy", "the header of an array is no literal") from None
    if not isinstance(value, dict) or set(value) != {"descr", "fortran_order", "shape"}:
        raise bad("bad-npy", "the header of an array lacks a field")
    shape, order = value["shape"], value["fortran_order"]
    if not isinstance(shape, tuple) or not isinstance(order, bool):
        raise bad("bad-npy", "the header of an array has an impossible shape")
    descr = value["descr"]
    dtype = dtype_of_text(descr) if isinstance(descr, str) else _structured(descr, 0)
    return _checked(dtype, shape, order, start)


def _checked(dtype: Dtype | None, shape: tuple[Any, ...], fortran: bool, start: int) -> _Header:
    if dtype is None:
        raise bad("bad-npy", "an array has a dtype that isn't understood")
    if len(shape) > 64 or not all(type(side) is int and 0 <= side < 1 << 62 for side in shape):
        raise bad("bad-npy", "an array has an impossible shape")
    return _Header(dtype, shape, "F" if fortran and len(shape) > 1 else "C", start)


def _structured(descr: Json, depth: int) -> Dtype | None:
    """The size of a dtype with fields, as `numpy.lib.format` writes it."""
    if not isinstance(descr, list) or depth > 8:
        return None
    size = 0
    has_objects = False
    for field in descr:
        if not isinstance(field, tuple) or len(field) not in (2, 3):
            return None
        kind = field[1]
        inner = dtype_of_text(kind) if isinstance(kind, str) else _structured(kind, depth + 1)
        sides = field[2] if len(field) == 3 else ()
        if inner is None or not isinstance(sides, tuple):
            return None
        if not all(type(side) is int and 0 <= side < 1 << 31 for side in sides):
            return None
        size += inner.itemsize * prod(sides)
        has_objects = has_objects or inner.has_objects
    return Dtype(f"void{size * 8}", size, has_objects=has_objects)


def _objects(
    file: BinaryIO, where: str, start: int, end: int, budget: Budget
) -> tuple[Finding, ...]:
    from modelyard.formats.pickles.scan import findings_of, scan
    from modelyard.formats.pickles.source import FileSource

    return findings_of(scan(FileSource(file, start, end - start), budget), where)


def _member_objects(
    file: BinaryIO, where: str, member: Member, header: _Header, budget: Budget
) -> tuple[Finding, ...]:
    """An array of objects is a pickle; a deflated one is unpacked as far as the budget goes."""
    if member.method == STORED:
        start, end = member.start + header.start, member.start + member.size
        return _objects(file, where, start, end, budget)
    if member.size > budget.max_output // 8:
        return (Finding("scan-incomplete", "danger", "too much to unpack", where),)
    import io

    data = unpack(file, member, budget.max_output // 8)
    return _objects(io.BytesIO(data), where, header.start, len(data), budget)
