"""Zip files: torch, numpy, Keras and skops all use them; the members tell which it is."""

from __future__ import annotations

from typing import BinaryIO

from modelyard.formats.detect import extension_of
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.zips import members

__all__ = ["inspect"]


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """The format whose members these are; `zip` for any other."""
    entries = members(file, budget)
    names = {member.name for member in entries}
    last = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in last:
        from modelyard.formats.torch import inspect_members

        return inspect_members(file, path, entries, budget)
    if "config.json" in names and ("metadata.json" in names or "model.weights.h5" in names):
        from modelyard.formats.keras import inspect_members

        return inspect_members(file, path, entries, budget)
    if "schema.json" in names:
        from modelyard.formats.skops import inspect_members

        return inspect_members(file, path, entries, budget)
    if extension_of(path) == "npz" or (names and all(name.endswith(".npy") for name in names)):
        from modelyard.formats.npy import inspect_members

        return inspect_members(file, path, entries, budget)
    return Inspection("zip", metadata={"members": len(entries)})
