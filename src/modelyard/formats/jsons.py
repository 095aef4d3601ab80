"""JSON files: an XGBoost model, an index of safetensors shards, or just text."""

from __future__ import annotations

from typing import BinaryIO

from modelyard.core.version import Finding
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.reading import Region, parse_json

__all__ = ["inspect"]

_INDEX = 16_000_000


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """Only what names itself a model is parsed; any other JSON is text and stays unread."""
    region = Region(file)
    head = region.upto(0, 4096)
    if b'"learner"' in head:
        from modelyard.formats import xgboost

        return xgboost.inspect(file, path, budget)
    if path.endswith(".index.json"):
        return _index(region, path, budget)
    return Inspection("text")


def _index(region: Region, path: str, budget: Budget) -> Inspection:
    if region.size > _INDEX:
        message = f"an index of {region.size} bytes is not read"
        return Inspection("text", findings=(Finding("scan-incomplete", "danger", message, path),))
    index = parse_json(region.read(0, region.size), "bad-index", budget)
    weights = index.get("weight_map") if isinstance(index, dict) else None
    return Inspection(
        "text", metadata={"shards": len(weights)} if isinstance(weights, dict) else {}
    )
