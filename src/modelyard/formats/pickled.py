"""Plain pickles and joblib files, also packed ones: what they would import, and their arrays."""

from __future__ import annotations

from contextlib import suppress
from typing import BinaryIO

from modelyard.core.version import Finding
from modelyard.errors import InvalidInput
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.pickles.arrays import arrays_of
from modelyard.formats.pickles.machine import Machine
from modelyard.formats.pickles.scan import findings_of, scan
from modelyard.formats.pickles.source import FileSource, PackedSource, Source, Spent, packing_of
from modelyard.formats.reading import Region, bad

__all__ = ["inspect", "is_old_pickle", "looks_like_pickle"]


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """A pickle, or a joblib file if its arrays are written joblib's way."""
    head = Region(file).upto(0, 16)
    packing = packing_of(head)
    if packing is not None:
        return _packed(file, path, packing, budget)
    return _inspected(FileSource(file), path, budget, {})


def _packed(file: BinaryIO, path: str, packing: str, budget: Budget) -> Inspection:
    """A packed pickle; any other packed file is left alone, as `unknown`."""
    claimed = path.rpartition(".")[2].lower() in ("pkl", "pickle", "joblib", "z", "pt", "pth")
    try:
        source = PackedSource(file, packing, budget)
        begins = looks_like_pickle(source.read(0, 64))
    except Spent as spent:
        if not claimed:
            return Inspection("unknown")
        finding = Finding("scan-incomplete", "danger", f"{packing}: {spent}", path)
        return Inspection("joblib" if path.endswith(".joblib") else "pickle", findings=(finding,))
    if not begins and not claimed:
        return Inspection("unknown")
    return _inspected(source, path, budget, {"compression": packing})


def _inspected(source: Source, path: str, budget: Budget, metadata: dict[str, str]) -> Inspection:
    result = scan(source, budget)
    machine = result.machine
    if result.roots and machine.persistent:
        from modelyard.formats.torch_stream import is_legacy_torch, legacy_inspection

        if is_legacy_torch(result):
            return legacy_inspection(result, path, budget)
    name = "joblib" if result.is_joblib or path.endswith(".joblib") else "pickle"
    tensors = arrays_of(machine, result.roots[0] if result.roots else None)
    if len(tensors) > budget.max_tensors:
        raise bad("bad-pickle", f"{len(tensors)} arrays are too many")
    return Inspection(name, result.framework, tensors, metadata, findings_of(result, path))


def looks_like_pickle(head: bytes) -> bool:
    """Protocol 2 and later begin with their number; older ones only look like text."""
    return len(head) > 1 and head[0] == 0x80 and head[1] <= 5


def is_old_pickle(file: BinaryIO) -> bool:
    """Whether a text is a pickle of protocol 0 or 1 that would call something.

    It need not be whole: what stands before the damage runs all the same.
    """
    machine = Machine(FileSource(file), Budget().begun())
    with suppress(InvalidInput, Spent):
        machine.run(0)
    return machine.calls > 0 or bool(machine.computed)
