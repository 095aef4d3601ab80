"""Torch's files from before 1.6: five pickles in a row, then the storages one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.core.tensor import ITEMSIZE
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.pickles.arrays import arrays_of
from modelyard.formats.pickles.scan import Scan, findings_of
from modelyard.formats.reading import bad
from modelyard.formats.torch_tensors import KIND, Storage, storage_of, tensors_of

if TYPE_CHECKING:
    from modelyard.formats.pickles.values import Value

__all__ = ["is_legacy_torch", "legacy_inspection"]

_MAGIC = 0x1950A86A20F9469CFC6C


def is_legacy_torch(result: Scan) -> bool:
    """Magic number, protocol, system, object and keys are there."""
    return len(result.roots) >= 5 and result.roots[0] == _MAGIC


def legacy_inspection(result: Scan, path: str, budget: Budget) -> Inspection:
    """The same answer as for a zip: the storages' places are counted off behind the pickles."""
    result.trailing = False
    root = result.roots[3]
    places = _places(result)

    def place(storage: Storage) -> tuple[int, int] | None:
        return places.get(storage.key)

    tensors = tensors_of(result, root, place) + arrays_of(result.machine, root)
    if len(tensors) > budget.max_tensors:
        raise bad(KIND, f"{len(tensors)} tensors are too many")
    return Inspection("torch", "torch", tensors, {"legacy": True}, findings_of(result, path))


def _places(result: Scan) -> dict[str, tuple[int, int]]:
    """Each storage is its number of elements in eight bytes, then its values."""
    source = result.machine.source
    storages = {
        storage.key: storage
        for storage in map(storage_of, result.machine.persistent)
        if storage is not None
    }
    found: dict[str, tuple[int, int]] = {}
    pos = _end_of_keys(result)
    for key in _keys(result.roots[4]):
        storage = storages.get(key)
        if storage is None or source.size is None:
            return {}
        head = source.read(pos, 8)
        size = storage.count * ITEMSIZE[storage.dtype]
        if int.from_bytes(head, "little") != storage.count or pos + 8 + size > source.size:
            raise bad(KIND, f"storage {key[:40]!r} is not as long as it should be")
        if source.raw:
            found[key] = (source.start + pos + 8, source.start + pos + 8 + size)
        pos += 8 + size
    return found


def _end_of_keys(result: Scan) -> int:
    """Where the fifth pickle ends: raw values behind it may look like a sixth."""
    return result.ends[4]


def _keys(value: Value) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(key, bytes) for key in value):
        raise bad(KIND, "the list of storages is none")
    return [key.decode("utf-8", "replace") for key in value]
