"""Rows that show what was found: few, short, and without what is redacted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.core.monitoring import Column
    from modelyard.monitoring.rows import Rows

__all__ = ["MOST", "NO_ROWS", "shown"]

NO_ROWS: Final = "*"
"""Redacted, it leaves no row to be shown at all."""

MOST: Final = 3
"""Rows of one event."""
_COLUMNS: Final = 16
_LONGEST: Final = 60
_VECTOR: Final = 8


def shown(rows: Rows, places: Iterable[int], redact: frozenset[str]) -> list[dict[str, Any]]:
    """Some rows as people read them: what was asked by column, and what was answered.

    A column that is redacted, or an element of a tensor that is, is told as `redacted`. If a name
    is redacted that is no column, nobody knows which values it means: then none are told.
    """
    if NO_ROWS in redact or any(not _known(name, rows.schema.columns) for name in redact):
        return []
    return [_row(rows, place, redact) for place in list(places)[:MOST]]


def _known(name: str, columns: tuple[Column, ...]) -> bool:
    return any(name in (column.name, _tensor(column.name)) for column in columns)


def _tensor(column: str) -> str:
    return column.rpartition("[")[0] if column.endswith("]") else column


def _row(rows: Rows, place: int, redact: frozenset[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    schema = rows.schema
    for at, column in enumerate(schema.of_kind("number")):
        told[column.name] = _number(float(rows.numbers[place, at]))
    for texts, column in zip(rows.categories, schema.of_kind("category"), strict=False):
        text = texts[place]
        told[column.name] = text if text is None else text[:_LONGEST]
    for array, column in zip(rows.vectors, schema.of_kind("vector"), strict=False):
        told[column.name] = [_number(float(value)) for value in array[place][:_VECTOR]]
    inputs = {
        name: "redacted" if name in redact or _tensor(name) in redact else value
        for name, value in list(told.items())[:_COLUMNS]
    }
    found: dict[str, Any] = {"inputs": inputs}
    if rows.labels is not None:
        label = int(rows.labels[place])
        found["label"] = schema.classes[label] if 0 <= label < len(schema.classes) else None
    if rows.scores is not None:
        found["scores"] = [_number(float(value)) for value in rows.scores[place][:_VECTOR]]
    if rows.values is not None:
        found["value"] = _number(float(rows.values[place]))
    if rows.requests:
        found["request"] = rows.requests[place]
    return found


def _number(value: float) -> float | str:
    return float(f"{value:.6g}") if math.isfinite(value) else str(value)
