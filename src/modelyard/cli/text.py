"""Text for people: styled spans, aligned tables, and nothing that could steer a terminal.

Whatever comes out of a yard (names, messages, authors) was written by somebody else. Only this
module turns it into terminal output, and every control character becomes visible on the way.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Block",
    "Column",
    "Line",
    "Span",
    "Spans",
    "Table",
    "bar",
    "clean",
    "layout",
    "paint",
    "spark",
    "width",
]

STYLES = {
    "": "",
    "bold": "1",
    "dim": "2",
    "bad": "31",
    "good": "32",
    "warn": "33",
    "name": "36",
}

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Span:
    """Some text in one style, a key of `STYLES`."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """How one column of a table looks. A flexible one is cut when the terminal is narrow."""

    title: str = ""
    right: bool = False
    flexible: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under aligned columns; the head is left out if no column has a title."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Span | str]]
    indent: int = 0


Spans = list[str | Span]
Line = str | Span | Spans
Block = Line | Table


def clean(text: str) -> str:
    """The text on one line, with control characters and text direction marks made visible."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    )


def width(text: str) -> int:
    """How many terminal cells the text takes: two for a Chinese character, none for an accent."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def bar(share: float, *, cells: int = 8) -> str:
    """A bar as long as the share of one; something that is not zero is at least a sliver."""
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def spark(values: Sequence[float | None], *, cells: int = 24) -> str:
    """Values in their order as a line of bars; the largest is full, and what is missing is empty.

    Of more values than there are cells, each cell shows the largest of its own.
    """
    per = -(-len(values) // cells) if values else 1
    groups = [values[at : at + per] for at in range(0, len(values), per)]
    shown = [max((each for each in group if each is not None), default=None) for group in groups]
    most = max((each for each in shown if each is not None), default=0.0)
    scale = 8 / most if most > 0 else 0.0
    return "".join(
        " " if each is None else "▁▂▃▄▅▆▇█"[min(int(max(each, 0.0) * scale), 7)] for each in shown
    )


def paint(line: Line, *, colour: bool) -> str:
    """One line as it is written: cleaned, and coloured if the terminal wants that."""
    return "".join(_paint(span, colour) for span in (line if isinstance(line, list) else [line]))


def _paint(span: str | Span, colour: bool) -> str:
    if isinstance(span, str):
        return clean(span)
    text, code = clean(span.text), STYLES[span.style]
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code and text else text


def layout(table: Table, *, cells: int | None) -> Iterator[Line]:
    """The table's lines, cut to so many terminal cells if there is a limit."""
    rows = [[_span(cell) for cell in row] for row in table.rows]
    if any(column.title for column in table.columns):
        rows.insert(0, [Span(column.title, "dim") for column in table.columns])
    widths = [max((width(row[i].text) for row in rows), default=0) for i in range(_count(table))]
    if cells is not None:
        _narrow(table, widths, cells)
    for row in rows:
        yield _row(table, row, widths)


def _count(table: Table) -> int:
    return len(table.columns)


def _span(cell: str | Span) -> Span:
    return Span(clean(cell)) if isinstance(cell, str) else Span(clean(cell.text), cell.style)


def _narrow(table: Table, widths: list[int], cells: int) -> None:
    over = table.indent + sum(widths) + 2 * (len(widths) - 1) - cells
    flexible = [i for i, column in enumerate(table.columns) if column.flexible]
    for i in sorted(flexible, key=lambda i: -widths[i]):
        cut = min(max(over, 0), max(widths[i] - 12, 0))
        widths[i] -= cut
        over -= cut


def _row(table: Table, row: Sequence[Span], widths: Sequence[int]) -> Line:
    line: Spans = [" " * table.indent]
    for i, (span, column) in enumerate(zip(row, table.columns, strict=True)):
        text = _cut(span.text, widths[i])
        pad = " " * (widths[i] - width(text))
        last = i == len(row) - 1
        line += [pad if column.right else "", Span(text, span.style)]
        line.append("" if last else ("" if column.right else pad) + "  ")
    return _stripped(line)


def _stripped(line: Spans) -> Line:
    while line and not _span(line[-1]).text.strip():
        line.pop()
    return line


def _cut(text: str, cells: int) -> str:
    if width(text) <= cells:
        return text
    kept = ""
    for char in text:
        if width(kept) + _cells(char) > cells - 1:
            break
        kept += char
    return kept + "…"
