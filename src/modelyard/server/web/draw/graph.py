"""One row of a history graph: lanes as high as a row of the table, so that the two always meet."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelyard.server.web.draw.svg import tag

__all__ = ["LANES", "ROW", "graph_row", "graph_width"]

ROW = 56
"""Pixels, as in `history.css`."""
LANES = 20
"""Lanes beyond share the last one."""
_STEP, _EDGE, _DOT = 16, 12, 5
_COLOURS = 6


def graph_width(lanes: int) -> int:
    """Pixels that a number of lanes takes."""
    return 2 * _EDGE + (max(min(lanes, LANES), 1) - 1) * _STEP


def graph_row(
    column: int,
    edges: Sequence[tuple[int, int]],
    arriving: Sequence[int],
    *,
    kind: str,
    lanes: int,
) -> Markup:
    """A version and the lines that pass it, half a pixel over both borders.

    Args:
        column: Of the version.
        edges: Lines to the row below, from column to column.
        arriving: Columns of lines from the row above.
        kind: `version`, `merge` or `deleted`.
        lanes: How many the widest row of the page has.
    """
    middle = ROW // 2
    column = _drawn(column)
    above = sorted(set(map(_drawn, arriving)), reverse=True)
    lines = [_line(f"M{_x(lane)} -1V{middle}", lane) for lane in above]
    below = {(_drawn(start), _drawn(end)) for start, end in edges}
    for start, end in sorted(below, key=lambda edge: (edge[0] == edge[1], edge)):
        a, b = _x(start), _x(end)
        bend = f"M{a} {middle}"
        bend += f"V{ROW + 1}" if a == b else f"C{a} {ROW - 4} {b} {middle + 8} {b} {ROW + 1}"
        lines.append(_line(bend, max(start, end)))
    dot = tag("circle", cx=_x(column), cy=middle, r=_DOT, class_=f"dot {kind} {_colour(column)}")
    return tag(
        "svg", *lines, dot, xmlns="http://www.w3.org/2000/svg", width=graph_width(lanes),
        height=ROW, aria_hidden="true", class_="lanes",
    )  # fmt: skip


def _line(path: str, lane: int) -> Markup:
    return tag("path", d=path, class_=_colour(lane))


def _drawn(lane: int) -> int:
    return min(lane, LANES - 1)


def _x(column: int) -> int:
    return _EDGE + column * _STEP


def _colour(lane: int) -> str:
    return f"lane{lane % _COLOURS}"
