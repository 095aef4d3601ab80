"""A heat map of what changed: fields that are links, eight colours, and signs for what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from modelyard.server.web.draw.svg import cut, drawing, tag

if TYPE_CHECKING:
    from modelyard.i18n import Language
    from modelyard.server.web.grid import Cell, Grid

__all__ = ["heatmap", "legend", "percent"]

_LETTER = 6.7
_LONGEST = 34
_SIGNS = {"added": "+", "removed": "−", "other": "≠"}
_SLANT = 0.82


def heatmap(grid: Grid, language: Language, label: str, tensor: str, table: str) -> Markup:
    """Rows from top to bottom, columns slanted above them.

    Args:
        tensor: Where a field goes: an address that `&name=` can be added to.
        table: Where one of several tensors goes; `&find=` can be added.
    """
    titles = [_column(name, language) for name in grid.columns]
    wide = min(max(26, 760 // max(len(titles), 1)), 88)
    high = 24 if len(grid.rows) <= 14 else 19 if len(grid.rows) <= 40 else 15
    left = min(max(map(len, grid.rows), default=0), _LONGEST) * _LETTER + 14
    top = min(max(map(len, titles), default=0), _LONGEST) * _LETTER * 0.62 + 16
    slant = top * _SLANT
    parts: list[Markup] = [_hatch()]
    for i, name in enumerate(titles):
        x, y = left + i * wide + wide / 2 - 3, top - 7
        parts.append(
            tag("text", tag("title", name), _cut(name), x=x, y=y, class_="axis",
                transform=f"rotate(-38 {x:.1f} {y:.1f})")
        )  # fmt: skip
    for i, name in enumerate(grid.rows):
        parts.append(
            tag("text", tag("title", name), _cut(name, keep_end=True), x=left - 8.0,
                y=top + i * high + high / 2 + 4, class_="axis end")
        )  # fmt: skip
    for at, cell in enumerate(grid.cells):
        link = f"{tensor}&file={quote(cell.file)}&name={quote(cell.name)}"
        if cell.count > 1:
            link = f"{table}&find={quote(_searched(grid.rows[cell.row]))}#tensors"
        parts.append(_cell(cell, grid, language, link, at, left, top, wide, high))
    return drawing(
        *parts, width=left + len(titles) * wide + slant, height=top + len(grid.rows) * high + 4,
        label=label, class_="heat", data_columns=len(titles),
    )  # fmt: skip


def _cell(
    cell: Cell, grid: Grid, language: Language, link: str, at: int,
    left: float, top: float, wide: int, high: int,
) -> Markup:  # fmt: skip
    x, y = left + cell.column * wide + 1, top + cell.row * high + 1
    kind = kind_of(cell)
    shapes = [tag("rect", x=x, y=y, width=wide - 2, height=high - 2, rx=2, class_=kind)]
    if kind == "removed":
        shapes.append(
            tag("rect", x=x, y=y, width=wide - 2, height=high - 2, rx=2, fill="url(#hatch)")
        )
    if kind in _SIGNS:
        middle = x + wide / 2 - 1
        shapes.append(tag("text", _SIGNS[kind], x=middle, y=y + high / 2 + 3.5, class_="sign"))
    return tag(
        "a", tag("title", told(cell, grid, language)), *shapes, href=link,
        tabindex=0 if at == 0 else -1, data_row=cell.row, data_column=cell.column,
    )  # fmt: skip


def kind_of(cell: Cell) -> str:
    """The class of a field: `c0` to `c7`, `same`, `added`, `removed`, or `other`."""
    if cell.change == "unchanged":
        return "same"
    if cell.change in ("added", "removed"):
        return cell.change
    return "other" if cell.level is None else f"c{cell.level}"


def told(cell: Cell, grid: Grid, language: Language) -> str:
    """What a field says in words."""
    say = language.say
    words = {
        "unchanged": say("unchanged"), "added": say("added"), "removed": say("removed"),
        "renamed": say("renamed"), "changed": say("changed"),
    }  # fmt: skip
    what = words[cell.change]
    if cell.value is not None and grid.kind == "layers":
        what = percent(cell.value)
    elif cell.value is not None:
        shown = percent(cell.value) if cell.column == 0 else f"{cell.value:.3g}"
        what = f"{_column(grid.columns[cell.column], language)} {shown}"
    if cell.count > 1:
        if grid.kind == "statistics":
            return f"{grid.rows[cell.row]} ({cell.count}): {what}"
        more = language.say_many(
            "%(number)s tensor, the largest change is", "%(number)s tensors, the largest change is",
            cell.count,
        )  # fmt: skip
        return f"{grid.rows[cell.row]} {grid.columns[cell.column]}: {more} {what}"
    return f"{cell.name}: {what}"


def legend(language: Language) -> tuple[tuple[str, str], ...]:
    """Classes of fields and what they mean, from no change to the most."""
    say = language.say
    return (
        ("same", say("unchanged")), ("c0", say("below 0.01 %")), ("c1", "0.01 – 0.1 %"),
        ("c2", "0.1 – 0.3 %"), ("c3", "0.3 – 1 %"), ("c4", "1 – 3 %"), ("c5", "3 – 10 %"),
        ("c6", "10 – 30 %"), ("c7", say("30 % and more")), ("added", say("added")),
        ("removed", say("removed")), ("other", say("another shape or dtype")),
    )  # fmt: skip


def percent(ratio: float) -> str:
    """`3.1 %` of how far something moved; `12×` where that says more."""
    if ratio >= 10:
        return f"{ratio:.3g}×"
    return f"{ratio * 100:.3g} %"


def _column(name: str, language: Language) -> str:
    named = {
        "relative-change": language.say("relative change"),
        "cosine": language.say("1 − cosine"),
        "max-abs": language.say("largest difference"),
    }
    return named.get(name, name)


def _searched(row: str) -> str:
    """What the names of a row's tensors have in common: a part without a number."""
    return max(row.rpartition(": ")[2].split("*"), key=len)


def _cut(name: str, *, keep_end: bool = False) -> str:
    if keep_end and len(name) > _LONGEST:
        return "…" + name[-_LONGEST + 1 :]
    return cut(name, _LONGEST)


def _hatch() -> Markup:
    line = tag("path", d="M-1 1l2-2M0 6L6 0M5 7l2-2", class_="hatch")
    return tag(
        "defs", tag("pattern", line, id="hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    )
