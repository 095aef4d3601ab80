"""The audit log as text for other programs: JSON lines, and CSV that a spreadsheet runs none of."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from modelyard.core.people import AuditLine
from modelyard.core.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["as_csv", "as_json_lines"]

_COLUMNS = [field.name for field in fields(AuditLine)]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, or skips before one."""


def as_json_lines(lines: Iterable[AuditLine]) -> Iterator[str]:
    """One JSON object a line."""
    for line in lines:
        yield encode(line).decode() + "\n"


def as_csv(lines: Iterable[AuditLine]) -> Iterator[str]:
    """RFC 4180 with a line of titles; cells that look like formulas begin with `'`."""
    yield _row(_COLUMNS)
    for line in lines:
        yield _row([_cell(getattr(line, name)) for name in _COLUMNS])


def _row(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        text = json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    elif hasattr(value, "isoformat"):
        return str(value.isoformat())
    else:
        text = str(value)
    return "'" + text if text.startswith(_FORMULA) else text
