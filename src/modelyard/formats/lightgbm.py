"""LightGBM's text models: a head of `key=value` lines, then the trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from modelyard.formats.interface import Inspection
from modelyard.formats.reading import Json, Region, printable

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["inspect"]

_HEAD = 1 << 20
_KEYS = ("version", "num_class", "num_tree_per_iteration", "max_feature_idx", "objective")


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """The head only; a text that begins like a tree but has no such head is text."""
    region = Region(file, kind="bad-lightgbm")
    head = region.upto(0, _HEAD).partition(b"\nTree=0")[0]
    values: dict[str, str] = {}
    for line in head.split(b"\n")[:100]:
        key, mark, value = line.partition(b"=")
        if mark:
            values[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    if "version" not in values or "max_feature_idx" not in values:
        return Inspection("text")
    metadata: dict[str, Json] = {key: printable(values[key]) for key in _KEYS if key in values}
    names = values.get("feature_names", "").split()
    metadata["features"] = len(names)
    metadata["trees"] = len(values.get("tree_sizes", "").split())
    metadata["signature"] = {
        "inputs": [{"name": "input", "dtype": "float64", "shape": [None, len(names)]}],
        "outputs": [],
    }
    return Inspection("lightgbm", "lightgbm", (), metadata)
